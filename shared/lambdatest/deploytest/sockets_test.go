package deploytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"parley/functions/chathub"
	"parley/functions/cossistant/shape"
	"parley/local/gateway"
	"parley/shared/live"
)

// served says which function serves which WebSocket API, by the names of both.
var served = map[string]string{chathub.API: "chathub", live.ConsoleAPI: "consolews", shape.SocketAPI: "cossistantws"}

// reached says what each function does to the connections of which API. Whoever sends
// frames also ends connections that are gone; the hub alone asks for the last sign of life.
var reached = map[string]map[string][]string{
	"chat":         {live.ConsoleAPI: {"DELETE", "POST"}},
	"cossistant":   {live.ConsoleAPI: {"DELETE", "POST"}},
	"cossistantws": {live.ConsoleAPI: {"DELETE", "POST"}, shape.SocketAPI: {"DELETE"}},
	"chathub":      {chathub.API: {"DELETE", "GET", "POST"}, live.ConsoleAPI: {"DELETE", "POST"}},
	"consolews":    {chathub.API: {"DELETE", "POST"}, live.ConsoleAPI: {"DELETE", "POST"}, shape.SocketAPI: {"DELETE", "POST"}},
	"operator":     {chathub.API: {"DELETE", "POST"}, live.ConsoleAPI: {"DELETE", "POST"}, shape.SocketAPI: {"DELETE", "POST"}},
	"push":         {chathub.API: {"DELETE", "POST"}, live.ConsoleAPI: {"DELETE", "POST"}, shape.SocketAPI: {"DELETE", "POST"}},
	"respond":      {chathub.API: {"DELETE", "POST"}, shape.SocketAPI: {"DELETE", "POST"}},
}

// socketID is the logical id of a WebSocket API.
func socketID(api string) string { return strings.ToUpper(api[:1]) + api[1:] + "Socket" }

// TestSockets: every event of a connection reaches the function, and what that answers
// to a frame the client.
func TestSockets(t *testing.T) {
	template := load(t)
	apis, answers := template.ofType("AWS::Serverless::WebSocketApi"), template.ofType("AWS::ApiGatewayV2::RouteResponse")
	if len(apis) != len(served) || len(answers) != len(served) {
		t.Errorf("%d WebSocket APIs with %d route responses, want %d", len(apis), len(answers), len(served))
	}
	for api, function := range served {
		id := socketID(api)
		p := apis[id].in("Properties")
		if p["StageName"] != gateway.Stage {
			t.Errorf("%s: the stage is %v, want %s", id, p["StageName"], gateway.Stage)
		}
		arn := node{"Fn::GetAtt": strings.ToUpper(function[:1]) + function[1:] + "Function.Arn"}
		want := node{"$connect": node{"FunctionArn": arn}, "$disconnect": node{"FunctionArn": arn},
			"$default": node{"FunctionArn": arn, "RouteResponseSelectionExpression": "$default"}}
		if got := p["Routes"]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: routes %v, want %v", id, got, want)
		}
		if got, want := answers[id+"Answer"].in("Properties"), (node{"ApiId": node{"Ref": id}, "RouteId": node{"Ref": id + "DefaultRoute"}, "RouteResponseKey": "$default"}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the route response is %v, want %v", id, got, want)
		}
	}
}

// TestNoQueryLogged: tokens and tickets stand in the addresses that clients connect to,
// which an access log or the log of executions would keep; and no throttle answers
// pings, which clients take for the end, but the account's own.
func TestNoQueryLogged(t *testing.T) {
	for id, api := range load(t).ofType("AWS::Serverless::WebSocketApi") {
		for _, property := range []string{"AccessLogSettings", "DefaultRouteSettings", "RouteSettings"} {
			if v := api.at("Properties", property); v != nil {
				t.Errorf("%s: %s = %v", id, property, v)
			}
		}
	}
}

var endpoint = regexp.MustCompile(`^https://\$\{(\w+)\}\.execute-api\.\$\{AWS::Region\}\.\$\{AWS::URLSuffix\}/live$`)

// mayPost checks that a function is told the addresses of those APIs, and may do that
// to their connections, that it needs.
func mayPost(t *testing.T, name string, variables node, may []string) {
	t.Helper()
	told := map[string]string{}
	if v, ok := variables["PARLEY_SOCKETS"]; ok {
		if err := json.Unmarshal([]byte(v.(node)["Fn::Sub"].(string)), &told); err != nil {
			t.Errorf("%s: PARLEY_SOCKETS = %v: %v", name, v, err)
		}
	}
	if got, want := slices.Sorted(maps.Keys(told)), slices.Sorted(maps.Keys(reached[name])); !slices.Equal(got, want) {
		t.Errorf("%s is told of the sockets %v, want %v", name, got, want)
	}
	var want []string
	for api, methods := range reached[name] {
		if m := endpoint.FindStringSubmatch(told[api]); m == nil || m[1] != socketID(api) {
			t.Errorf("%s: %s is at %s", name, api, told[api])
		}
		for _, method := range methods {
			want = append(want, fmt.Sprintf("map[Fn::Sub:arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${%s}/%s/%s/@connections/*]",
				socketID(api), gateway.Stage, method))
		}
	}
	slices.Sort(want)
	slices.Sort(may)
	if !slices.Equal(may, want) {
		t.Errorf("%s may do to connections\n%v, want\n%v", name, may, want)
	}
}
