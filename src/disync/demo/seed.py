"""What the demo runs: task and solution of GetDISyncTask's sample response, and the data sources they name."""

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

PROCESS_CONTENT = (
    '{"holoDatasource":"holo","offlineSyncConfig":{"nodeNameRule":"oneclick_holo_di_${db_table_name_src}_to_$'
    '{db_table_name_dest}","resourceGroup":"group_219193793999490"},"processRuleId":1007,"readerConcurrent":1'
    '0,"realtimeSyncConfig":{"content":{"order":{"hops":[{"from":"reader","to":"writer"}]},"setting":{"speed"'
    ':{"readerConcurrent":10}},"steps":[{"stepType":"mysql","name":"reader","category":"reader","parameter":{'
    '"connection":[{"datasource":"mm","datasourceType":"mysql","table":[]}]}},{"stepType":"holo","name":"writ'
    'er","category":"writer","parameter":{"datasource":"holo","writeMode":"replay","datasourceSchema":"public'
    '","tableMappingRule":{"datasource":[{"tableRule":[],"srcDatasourceName":"mm"}]}}}]},"extend":{"mode":"mi'
    'gration_holo","resourceGroup":"group_219193793999490"}},"setting":{"autoCreateWorkflow":true,"userDefine'
    'dFileNameExpression":"oneclick"},"srcType":"mysql","tableMappingRuleFromRealtimeSyncConfig":{"datasource'
    '":[{"srcDatasourceName":"mm","tableRule":[]}]}}'
)
"""`Data.SolutionDetail.ProcessContent` of the same response, byte for byte."""
