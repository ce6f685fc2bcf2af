"""What the demo runs: the task of GetDISyncTask's sample response, and the data sources it names."""

from __future__ import annotations

SOURCE_TOPIC = "dwd_tfc_opt_speed_rid_amap_rt_330000"
TARGET_TOPIC = "dwd_tfc_opt_speed_rid_amap_rt"
SOURCE, TARGET = "datahub_uric_test", "datahub_cloud_dev_test"
PROJECTS = {SOURCE: "uric_test", TARGET: "cloud_dev_test"}
SHARDS = 3
PROJECT_ID = 10000
SEED = {
    "extend": {"mode": "wizard", "resourceGroup": "S_res_group_287114642182658_1560324290517"},
    "nodeDef": {},
    "order": {"hops": [{"from": "datahub_8htXSsfiS2vtZCVG", "to": "datahub_CRHBAyGfhSaLmv2f"}]},
    "setting": {"errorLimit": {}, "jvmOption": ""},
    "steps": [
        {
            "stepType": "datahub",
            "category": "writer",
            "displayName": "DataHub1",
            "parameter": {"batchSize": 1000, "datasource": TARGET, "topic": TARGET_TOPIC},
            "name": "datahub_CRHBAyGfhSaLmv2f",
            "gui": {"x": 262, "y": 325},
        },
        {
            "stepType": "datahub",
            "displayName": "DataHub2",
            "parameter": {"datasource": SOURCE, "topic": SOURCE_TOPIC, "batchSize": 1000},
            "name": "datahub_8htXSsfiS2vtZCVG",
            "gui": {"x": 268, "y": 160.5},
            "category": "writer",
        },
    ],
}
"""`Data.Code` of GetDISyncTask's sample response."""
