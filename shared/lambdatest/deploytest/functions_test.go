package deploytest

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// routes says which function serves what.
var routes = map[string][]string{
	"chat": {"POST /chat", "GET /chat/{session}/runs/{run}", "POST /chat/{session}/cancel",
		"POST /chat/{session}/form", "POST /chat/{session}/typing", "POST /chat/{session}/vote"},
	"updates":      {"GET /updates/{session}"},
	"close":        {"POST /close"},
	"history":      {"GET /history", "GET /history/{session}", "DELETE /history/{session}"},
	"csat":         {"POST /csat", "GET /csat/{session}"},
	"uploads":      {"POST /uploads", "POST /uploads/{id}/complete", "GET /files/{id}/{secret}/{name}"},
	"identify":     {"GET /config", "POST /identify", "GET /identify/challenge", "POST /identify/link", "GET /openapi.yaml"},
	"hissuno":      {"ANY /hissuno/{path+}"},
	"chathub":      {"POST /hubs/chat/negotiate"},
	"operator":     {"ANY /operator/{path+}", "GET /console", "GET /console/{path+}"},
	"opencx":       {"ANY /backend/{path+}", "ANY /widget/{path+}"},
	"cossistant":   {"ANY /cossistant/{path+}"},
	"respond":      nil,
	"consolews":    nil,
	"cossistantws": nil,
	"hooks":        nil,
	"review":       nil,
	"push":         nil,
	"feed":         nil,
	"sweep":        nil,
}

// TestEveryFunctionIsDeployed compares the template with the main packages.
func TestEveryFunctionIsDeployed(t *testing.T) {
	deployed := load(t).functions()
	for name := range routes {
		if deployed[name] == nil {
			t.Errorf("%s is not in the template", name)
		}
	}
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "bootstrap", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range mains {
		if name := filepath.Base(filepath.Dir(filepath.Dir(path))); deployed[name] == nil {
			t.Errorf("%s is not in the template", name)
		}
	}
}

func TestFunctions(t *testing.T) {
	template := load(t)
	timeouts := map[string]int{"chat": 120, "hissuno": 120, "updates": 60, "respond": 300, "hooks": 300, "review": 120, "push": 150, "sweep": 60}
	for name, f := range template.functions() {
		// Metadata cannot be global; CloudFormation would not build without.
		if f.at("Metadata", "BuildMethod") != "makefile" {
			t.Errorf("%s: BuildMethod = %v", name, f.at("Metadata", "BuildMethod"))
		}
		p := merged(template.in("Globals", "Function"), f.in("Properties"))
		for key, want := range map[string]any{"CodeUri": ".", "Handler": "bootstrap", "Runtime": "provided.al2023"} {
			if p[key] != want {
				t.Errorf("%s: %s = %v, want %v", name, key, p[key], want)
			}
		}
		if got := p.list("Architectures"); len(got) != 1 || got[0] != "arm64" {
			t.Errorf("%s: Architectures = %v", name, got)
		}
		if p.at("Environment", "Variables", "GOMEMLIMIT") == nil {
			t.Errorf("%s: no GOMEMLIMIT", name)
		}
		group, _ := p.at("LoggingConfig", "LogGroup", "Ref").(string)
		if retention := template.at("Resources", group, "Properties", "RetentionInDays"); p.at("LoggingConfig", "LogFormat") != "JSON" || p.at("LoggingConfig", "SystemLogLevel") != "WARN" || retention == nil {
			t.Errorf("%s: logs %v, kept for %v", name, p["LoggingConfig"], retention)
		}
		timeout, _ := p["Timeout"].(int)
		if want, ok := timeouts[name]; ok && timeout != want || !ok && (timeout < 10 || timeout > 30) {
			t.Errorf("%s: Timeout = %v", name, p["Timeout"])
		}
	}
}

// merged is what SAM makes of globals and a function's own properties.
func merged(global, own node) node {
	out := node{}
	for k, v := range global {
		out[k] = v
	}
	for k, v := range own {
		g, ok1 := out[k].(node)
		o, ok2 := v.(node)
		if ok1 && ok2 {
			v = merged(g, o)
		}
		out[k] = v
	}
	return out
}

// TestURLs: the adapter cannot tell a URL in another mode apart, SAM permits
// callers only where it reads the word NONE, and CORS is the handlers'.
func TestURLs(t *testing.T) {
	template := load(t)
	if template.at("Globals", "Function", "FunctionUrlConfig") != nil {
		t.Error("a global URL configuration gives every function a public URL")
	}
	if template.at("Globals", "HttpApi", "CorsConfiguration") != nil {
		t.Error("the HTTP API answers preflights itself")
	}
	for name, f := range template.functions() {
		u, has := f.at("Properties", "FunctionUrlConfig").(node)
		if has != (len(routes[name]) > 0) {
			t.Errorf("%s: has a URL: %v", name, has)
		}
		if has && (u["AuthType"] != "NONE" || u["InvokeMode"] != "RESPONSE_STREAM" || len(u) != 2) {
			t.Errorf("%s: URL = %v", name, u)
		}
	}
}

// TestRoutes: the HTTP API, and with it sam local, serves every route and
// leaves preflights to the handler.
func TestRoutes(t *testing.T) {
	for name, f := range load(t).functions() {
		served := map[string]bool{}
		for _, e := range f.in("Properties", "Events") {
			if e := e.(node); e["Type"] == "HttpApi" {
				if m := e.at("Properties", "Method"); m != "any" {
					t.Errorf("%s: %v only takes %v", name, e.at("Properties", "Path"), m)
				}
				served[e.at("Properties", "Path").(string)] = true
			}
		}
		for _, route := range routes[name] {
			_, path, _ := strings.Cut(route, " ")
			if !served[path] {
				t.Errorf("%s: no event for %s", name, route)
			}
		}
		for path := range served {
			if !slices.ContainsFunc(routes[name], func(r string) bool { return strings.HasSuffix(r, " "+path) }) {
				t.Errorf("%s: event for %s, which is no route", name, path)
			}
		}
	}
}

// TestPublicURLs reads PARLEY_URLS as the functions do. Who is asked through the
// distribution knows its address from the request; hooks, push and respond, whom
// nobody asks, are told; a name that is made after those two they cannot be.
func TestPublicURLs(t *testing.T) {
	wants := map[string][]string{"chat": {"uploads"}, "updates": {"uploads"}, "history": {"uploads"}, "hissuno": {"uploads"}, "opencx": {"uploads"}, "cossistant": {"uploads"}, "uploads": {"uploads"}, "hooks": {"uploads"}, "operator": {"uploads"},
		"respond": {"uploads"}, "push": {"uploads"},
		"identify": {"chat", "close", "csat", "history", "identify", "updates", "uploads"}}
	placeholder := regexp.MustCompile(`\$\{([\w.]+)\}`)
	for name, f := range load(t).functions() {
		value := f.at("Properties", "Environment", "Variables", "PARLEY_URLS")
		if (value != nil) != (wants[name] != nil) {
			t.Errorf("%s: PARLEY_URLS = %v", name, value)
		}
		if value == nil {
			continue
		}
		for front, holding := range fronts {
			want := map[string]string{}
			for _, target := range wants[name] {
				switch {
				case front == "public":
					want[target] = "PublicURL/"
				case front != "" && name == "hooks", front == "domain" && (name == "push" || name == "respond"):
					want[target] = addressOf[front] + "/"
				case target != name: // a function cannot name its own URL, which is made after it
					want[target] = strings.ToUpper(target[:1]) + target[1:] + "FunctionUrl.FunctionUrl"
				}
			}
			got := map[string]string{}
			if branch := when(value, holding...); branch.(node)["Ref"] != "AWS::NoValue" {
				text := placeholder.ReplaceAllString(branch.(node)["Fn::Sub"].(string), "$1")
				if err := json.Unmarshal([]byte(text), &got); err != nil {
					t.Fatalf("%s: PARLEY_URLS = %s: %v", name, text, err)
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s, front %q: PARLEY_URLS = %v, want %v", name, front, got, want)
			}
		}
	}
}

// TestConsoleURL: what hooks tells people leads to the console.
func TestConsoleURL(t *testing.T) {
	value := load(t).at("Resources", "HooksFunction", "Properties", "Environment", "Variables", "PARLEY_CONSOLE")
	for front, want := range map[string]string{"": "${OperatorFunctionUrl.FunctionUrl}console", "public": "${PublicURL}/console",
		"distribution": "https://${Distribution.DomainName}/console", "domain": "https://${DomainName}/console"} {
		if got := when(value, fronts[front]...).(node)["Fn::Sub"]; got != want {
			t.Errorf("front %q: PARLEY_CONSOLE = %v, want %s", front, got, want)
		}
	}
}

// fronts are what may stand in front of the functions, each with the conditions that
// hold then, and addressOf where they are.
var (
	fronts    = map[string][]string{"": nil, "public": {"HasPublicURL"}, "distribution": {"HasDistribution"}, "domain": {"HasDistribution", "HasDomain"}}
	addressOf = map[string]string{"distribution": "https://Distribution.DomainName", "domain": "https://DomainName"}
)

// when is a value where these conditions hold and no others.
func when(v any, holding ...string) any {
	for {
		n, _ := v.(node)
		branches := n.list("Fn::If")
		if branches == nil {
			return v
		}
		v = branches[2]
		if slices.Contains(holding, branches[0].(string)) {
			v = branches[1]
		}
	}
}

// TestEvents: a run that is invoked asynchronously is never repeated, a webhook
// is, with an end, and a record that cannot be handled does not stop the stream
// for ever.
func TestEvents(t *testing.T) {
	functions := load(t).functions()
	for _, name := range []string{"respond", "sweep"} {
		if n := functions[name].at("Properties", "EventInvokeConfig", "MaximumRetryAttempts"); n != 0 {
			t.Errorf("%s: invocations are repeated %v times", name, n)
		}
	}
	for _, name := range []string{"hooks", "review", "push"} {
		async := functions[name].in("Properties", "EventInvokeConfig")
		if n, _ := async["MaximumRetryAttempts"].(int); n != 2 || async.at("DestinationConfig", "OnFailure", "Destination", "Fn::GetAtt") != "Failures.Arn" {
			t.Errorf("%s: %v", name, async)
		}
	}
	minute := functions["sweep"].in("Properties", "Events", "EveryMinute")
	if minute["Type"] != "ScheduleV2" || minute.at("Properties", "ScheduleExpression") != "rate(1 minute)" || minute.at("Properties", "RetryPolicy", "MaximumRetryAttempts") != 0 {
		t.Errorf("sweep: %v", minute)
	}
	stream := functions["feed"].in("Properties", "Events", "Sessions", "Properties")
	retries, _ := stream["MaximumRetryAttempts"].(int)
	age, _ := stream["MaximumRecordAgeInSeconds"].(int)
	queue, _ := stream.at("DestinationConfig", "OnFailure", "Destination", "Fn::GetAtt").(string)
	if retries < 1 || age < 60 || stream["BisectBatchOnFunctionError"] != true || queue != "Failures.Arn" ||
		!slices.Contains(stream.list("FunctionResponseTypes"), any("ReportBatchItemFailures")) || stream.at("Stream", "Fn::GetAtt") != "Table.StreamArn" {
		t.Errorf("feed: %v", stream)
	}
	// What people write has to be on the page soon. Lambda wants a window of a second
	// where a batch may have more than ten records.
	if stream["MaximumBatchingWindowInSeconds"] != 0 || stream["BatchSize"] != 10 {
		t.Errorf("feed: batches of %v, collected for %v s", stream["BatchSize"], stream["MaximumBatchingWindowInSeconds"])
	}
}

// TestNoSecrets: what is secret is named, never contained.
func TestNoSecrets(t *testing.T) {
	template := load(t)
	secret := regexp.MustCompile(`(?i)secret|key|token|password`)
	for name, f := range template.functions() {
		for k, v := range f.in("Properties", "Environment", "Variables") {
			if k == "PARLEY_ACTION_SECRETS" && reflect.DeepEqual(v, node{"Fn::Sub": "/parley/${AWS::StackName}/actions/"}) {
				continue // where the secrets of actions are, each read under its own name
			}
			if _, literal := v.(string); literal || secret.MatchString(k) && !strings.HasSuffix(k, "_ARN") {
				t.Errorf("%s: %s = %v", name, k, v)
			}
		}
	}
	for id, s := range template.ofType("AWS::SecretsManager::Secret") {
		key := strings.ToLower(strings.TrimSuffix(id, "Secret"))
		if s.at("Properties", "SecretString") != nil || s.at("Properties", "GenerateSecretString", "GenerateStringKey") != key {
			t.Errorf("%s: %v", id, s["Properties"])
		}
	}
	for id := range template.in("Parameters") {
		if secret.MatchString(id) && !strings.HasSuffix(id, "Arn") {
			t.Errorf("parameter %s takes a secret, which anybody who may read the stack could see", id)
		}
	}
	b, err := os.ReadFile(filepath.Join(root, "samconfig.toml"))
	if err != nil || secret.Match(b) {
		t.Errorf("samconfig.toml: %v; it names something secret", err)
	}
}
