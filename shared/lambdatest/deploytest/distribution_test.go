package deploytest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"parley/functions/chathub"
	"parley/functions/cossistant/shape"
	"parley/functions/cossistantws"
	"parley/functions/operator"
	"parley/functions/operator/console"
	"parley/local/gateway"
	"parley/shared/lambdahttp"
	"parley/shared/live"
)

// socketPaths say where each WebSocket API is at the distribution's address.
var socketPaths = map[string]string{chathub.API: chathub.Path, live.ConsoleAPI: operator.SocketPath, shape.SocketAPI: cossistantws.Path}

// config is the distribution's own part of the template.
func config(t *testing.T) node {
	return load(t).in("Resources", "Distribution", "Properties", "DistributionConfig")
}

// TestOrigins: each origin is what its id says, and is told by whom it is asked.
func TestOrigins(t *testing.T) {
	template := load(t)
	want := map[string]any{}
	for name := range routes {
		if len(routes[name]) > 0 {
			want[name] = node{"Fn::Select": []any{2, node{"Fn::Split": []any{"/", node{"Fn::GetAtt": strings.ToUpper(name[:1]) + name[1:] + "FunctionUrl.FunctionUrl"}}}}}
		}
	}
	for api := range served {
		want[socketID(api)] = node{"Fn::Sub": "${" + socketID(api) + "}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
	}
	got := map[string]any{}
	for _, o := range config(t).list("Origins") {
		o := o.(node)
		id := o["Id"].(string)
		got[id] = o["DomainName"]
		proof := []any{node{"HeaderName": lambdahttp.OriginSecretHeader,
			"HeaderValue": node{"Fn::Sub": "{{resolve:secretsmanager:${OriginSecret}:SecretString:origin::${OriginVersion}}}"}}}
		if !reflect.DeepEqual(o["OriginCustomHeaders"], proof) {
			t.Errorf("%s is sent %v, want %v", id, o["OriginCustomHeaders"], proof)
		}
		how := o.in("CustomOriginConfig")
		if how["OriginProtocolPolicy"] != "https-only" || !reflect.DeepEqual(how["OriginSSLProtocols"], []any{"TLSv1.2"}) {
			t.Errorf("%s is asked by %v", id, how)
		}
		// CloudFront waits so long for the next byte. Whole answers wait 20 s at most for a
		// reply, no function that answers whole runs longer, and streams are never silent for
		// more than 10 s.
		timeout, _ := template.in("Resources", strings.ToUpper(id[:1])+id[1:]+"Function", "Properties")["Timeout"].(int)
		if wait, _ := how["OriginReadTimeout"].(int); wait != 60 || timeout > wait && !slices.Contains([]string{"chat", "hissuno"}, id) {
			t.Errorf("CloudFront waits %d s for %s, which takes up to %d", wait, id, timeout)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("origins:\n%v, want\n%v", got, want)
	}
}

// TestBehaviours: everything passes as it is, in both directions, and the origin learns
// who asks. Only what never changes is stored.
func TestBehaviours(t *testing.T) {
	template, c := load(t), config(t)
	var patterns []string
	cached := 0
	all := append(c.list("CacheBehaviors"), c["DefaultCacheBehavior"])
	for _, b := range all {
		b := b.(node)
		pattern, _ := b["PathPattern"].(string)
		delete(b, "PathPattern")
		target := b["TargetOriginId"].(string)
		function := "ViewerToFunction"
		if strings.HasSuffix(target, "Socket") {
			function = "ViewerToSocket"
		}
		if pattern == console.Prefix+"/~*" { // what lies there never changes, and is the same for everybody
			if want := (node{"TargetOriginId": "operator", "ViewerProtocolPolicy": "redirect-to-https", "AllowedMethods": []any{"GET", "HEAD"}, "Compress": true,
				"CachePolicyId": node{"Fn::FindInMap": []any{"CloudFront", "Policies", "CachingOptimized"}}}); !reflect.DeepEqual(b, want) {
				t.Errorf("%s: %v, want %v", pattern, b, want)
			}
			cached++
		} else if want := (node{
			"TargetOriginId": target, "ViewerProtocolPolicy": "redirect-to-https",
			"AllowedMethods":        []any{"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"},
			"CachePolicyId":         node{"Fn::FindInMap": []any{"CloudFront", "Policies", "CachingDisabled"}},
			"OriginRequestPolicyId": node{"Fn::FindInMap": []any{"CloudFront", "Policies", "AllViewerExceptHostHeader"}},
			"FunctionAssociations":  []any{node{"EventType": "viewer-request", "FunctionARN": node{"Fn::GetAtt": function + ".FunctionMetadata.FunctionARN"}}},
		}); !reflect.DeepEqual(b, want) {
			t.Errorf("%s: %v, want %v", pattern, b, want)
		}
		patterns = append(patterns, pattern)
	}
	if cached != 1 {
		t.Errorf("%d behaviours store answers", cached)
	}
	for api, path := range socketPaths {
		if i := slices.Index(patterns, path); i < 0 || all[i].(node)["TargetOriginId"] != socketID(api) {
			t.Errorf("no behaviour brings %s to %s", path, socketID(api))
		}
	}
	if len(socketPaths) != len(served) {
		t.Errorf("%d sockets have a path of %d", len(socketPaths), len(served))
	}
	if got, want := template.at("Mappings", "CloudFront", "Policies"), (node{ // "Use managed … policies" in CloudFront's guide
		"CachingOptimized": "658327ea-f89d-4fab-a63d-7e88639e58f6",
		"CachingDisabled":  "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "AllViewerExceptHostHeader": "b689b0a8-53d0-40ab-baf2-68738e2966ac"}); !reflect.DeepEqual(got, want) {
		t.Errorf("policies %v, want %v", got, want)
	}
	if n := len(c.list("Origins")); n > 25 || len(all) > 25 {
		t.Errorf("%d origins and %d behaviours: an account may have a quota of 25 (CloudFront quotas)", n, len(all))
	}
	if c["Logging"] != nil {
		t.Error("a log of addresses holds tokens and tickets")
	}
}

// TestViewerFunctions runs what CloudFront runs on each request, with one whose client
// makes up the headers.
func TestViewerFunctions(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	const event = `{"version":"1.0","context":{"eventType":"viewer-request"},"viewer":{"ip":"2001:db8::17"},"request":{"method":"GET","uri":"/hubs/chat",
		"querystring":{"id":{"value":"1"}},"cookies":{},"headers":{"host":{"value":"chat.shop.example"},"x-forwarded-for":{"value":"10.0.0.1"},
		"parley-client-address":{"value":"10.0.0.1","multiValue":[{"value":"10.0.0.1"},{"value":"10.0.0.2"}]},"parley-client-host":{"value":"evil.example"}}}}`
	for id, uri := range map[string]string{"ViewerToFunction": "/hubs/chat", "ViewerToSocket": "/" + gateway.Stage} {
		code := load(t).at("Resources", id, "Properties", "FunctionCode").(string)
		out, err := exec.Command(node, "-e", code+"\nprocess.stdout.write(JSON.stringify(handler("+event+")))").Output()
		if err != nil {
			t.Fatal(err)
		}
		type value struct {
			Value      string
			MultiValue []any
		}
		var got struct {
			URI         string
			Headers     map[string]value
			QueryString map[string]value
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]value{"host": {Value: "chat.shop.example"}, "x-forwarded-for": {Value: "10.0.0.1"},
			strings.ToLower(lambdahttp.ClientAddressHeader): {Value: "2001:db8::17"}, strings.ToLower(lambdahttp.ClientHostHeader): {Value: "chat.shop.example"}}
		if !reflect.DeepEqual(got.Headers, want) || got.URI != uri || got.QueryString["id"].Value != "1" {
			t.Errorf("%s makes %s", id, out)
		}
	}
}

// TestOnlyWhereWanted: a stack without a distribution has nothing of it, and each
// function that clients reach is told of one and may read its secret.
func TestOnlyWhereWanted(t *testing.T) {
	template := load(t)
	for _, id := range []string{"OriginSecret", "ViewerToFunction", "ViewerToSocket", "Distribution"} {
		if c := template.at("Resources", id, "Condition"); c != "HasDistribution" {
			t.Errorf("%s is there if %v", id, c)
		}
	}
	for _, id := range []string{"WithDistribution", "OnlyThroughDistribution"} {
		if d := template.at("Parameters", id, "Default"); d != "false" {
			t.Errorf("%s is %v by default", id, d)
		}
	}
	told := node{"Fn::If": []any{"HasDistribution",
		node{"Fn::Sub": `{"secretArn":"${OriginSecret}","version":"${OriginVersion}","only":${OnlyThroughDistribution}}`}, node{"Ref": "AWS::NoValue"}}}
	read := node{"Fn::If": []any{"HasDistribution",
		node{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": node{"Ref": "OriginSecret"}}, node{"Ref": "AWS::NoValue"}}}
	sockets := map[string]bool{}
	for _, function := range served {
		sockets[function] = true
	}
	for name, f := range template.functions() {
		reached := len(routes[name]) > 0 || sockets[name]
		if got := f.at("Properties", "Environment", "Variables", "PARLEY_ORIGIN"); reached && !reflect.DeepEqual(got, told) || !reached && got != nil {
			t.Errorf("%s is told %v", name, got)
		}
		reads := 0
		each(f.in("Properties")["Policies"], func(v any) {
			if n, ok := v.(node); ok && reflect.DeepEqual(n, read) {
				reads++
			}
		})
		if mentions := strings.Count(fmt.Sprint(f.in("Properties")["Policies"]), "OriginSecret"); (reads == 1) != reached || mentions != reads {
			t.Errorf("%s may read the origin secret %d times, of %d mentions", name, reads, mentions)
		}
	}
}

// TestDeployDistribution: a stack gets a distribution with all that it needs, functions
// are told of it, and make project names its address.
func TestDeployDistribution(t *testing.T) {
	a := newAccount(t)
	a.template = "template.yaml"
	a.run("sam deploy --stack-name parley-dev --resolve-s3 --capabilities CAPABILITY_IAM --no-confirm-changeset"+
		" --parameter-overrides WithDistribution=true OnlyThroughDistribution=true WithDashboard=true", "")
	resources := a.resources("parley-dev")
	made := a.kinds(resources)
	for kind, want := range map[string]int{"AWS::CloudFront::Distribution": 1, "AWS::CloudFront::Function": 2, "AWS::SecretsManager::Secret": 2, "AWS::CloudWatch::Dashboard": 1} {
		if made[kind] != want {
			t.Errorf("%d of %s are made, want %d", made[kind], kind, want)
		}
	}
	said := a.run("make project ID=front", "")
	m := regexp.MustCompile(`const parley = "(https://[\w-]+\.cloudfront\.net)", key`).FindStringSubmatch(said)
	if m == nil || !strings.Contains(said, m[1]+"/console/\n") || strings.Contains(said, "lambda-url") {
		t.Fatalf("make project says %s", said)
	}
	var function struct {
		Environment struct{ Variables map[string]string }
	}
	for name, want := range map[string]map[string]string{
		"HooksFunction": {"PARLEY_CONSOLE": m[1] + "/console", "PARLEY_URLS": `{"uploads":"` + m[1] + `/"}`},
		"ChatFunction":  {"PARLEY_ORIGIN": `"version":"","only":true}`},
	} {
		said := a.run(`AWS_ENDPOINT_URL_LAMBDA="$AWS_ENDPOINT_URL" aws lambda get-function-configuration --function-name `+resources[name].PhysicalResourceId, "")
		if err := json.Unmarshal([]byte(said), &function); err != nil {
			t.Fatal(err)
		}
		for variable, value := range want {
			if got := function.Environment.Variables[variable]; !strings.HasSuffix(got, value) {
				t.Errorf("%s: %s = %s, want %s", name, variable, got, value)
			}
		}
	}
}
