"""Go: `go get github.com/alibabacloud-go/dataworks-public-20200518/v9`."""

from __future__ import annotations

from disync.console.samples.call import ID, REGION, SECRET, VERSION, Call, Value, quoted


def sample(call: Call) -> str:
    return (_typed if call.typed else _generic)(call)


def _config(call: Call) -> str:
    return f"""&openapi.Config{{
		AccessKeyId:     tea.String(os.Getenv("{ID}")),
		AccessKeySecret: tea.String(os.Getenv("{SECRET}")),
		Endpoint:        tea.String({quoted(call.address)}),
		Protocol:        tea.String("{call.scheme}"),
		RegionId:        tea.String("{REGION}"),
	}}"""


def _typed(call: Call) -> str:
    lines = "".join(f"\t\t{value.name}: {_literal(value)},\n" for value in call.values)
    return f"""// go get github.com/alibabacloud-go/dataworks-public-20200518/v9
package main

import (
	"fmt"
	"os"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	dataworks "github.com/alibabacloud-go/dataworks-public-20200518/v9/client"
	"github.com/alibabacloud-go/tea/tea"
)

func main() {{
	client, err := dataworks.NewClient({_config(call)})
	if err != nil {{
		panic(err)
	}}
	response, err := client.{call.action}(&dataworks.{call.action}Request{{
{lines}	}})
	if err != nil {{
		panic(err)
	}}
	fmt.Println(tea.Prettify(response.Body))
}}
"""


def _generic(call: Call) -> str:
    query, form = (
        "".join(f"\t\t\t{quoted(v.name)}: tea.String({quoted(v.text)}),\n" for v in call.of("query")),
        "".join(f"\t\t\t{quoted(v.name)}: {quoted(v.text)},\n" for v in call.of("form")),
    )
    return f"""// go get github.com/alibabacloud-go/darabonba-openapi/v2
package main

import (
	"fmt"
	"os"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
)

func main() {{
	client, err := openapi.NewClient({_config(call)})
	if err != nil {{
		panic(err)
	}}
	params := &openapi.Params{{
		Action:      tea.String("{call.action}"),
		Version:     tea.String("{VERSION}"),
		Method:      tea.String("{call.operation.method}"),
		Protocol:    tea.String("{call.scheme.upper()}"),
		AuthType:    tea.String("AK"),
		Style:       tea.String("RPC"),
		Pathname:    tea.String("/"),
		ReqBodyType: tea.String("formData"),
		BodyType:    tea.String("json"),
	}}
	request := &openapi.OpenApiRequest{{
		Query: map[string]*string{{
{query}		}},
		Body: map[string]interface{{}}{{
{form}		}},
	}}
	response, err := client.CallApi(params, request, &dara.RuntimeOptions{{}})
	if err != nil {{
		panic(err)
	}}
	fmt.Println(tea.Prettify(response["body"]))
}}
"""


def _literal(value: Value) -> str:
    if isinstance(value.plain, bool):
        return f"tea.Bool({str(value.plain).lower()})"
    if isinstance(value.plain, int):
        return f"tea.Int{'64' if value.long else '32'}({value.plain})"
    return f"tea.String({quoted(value.plain)})"
