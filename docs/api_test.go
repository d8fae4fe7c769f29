package docs_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/table"
)

// document is the OpenAPI document as far as the articles speak of it.
type document struct {
	all any
	// bodies are the routes, "POST /chat", with the properties of their JSON body.
	bodies map[string]map[string]bool
	// anyType are the routes whose body may come under any media type.
	anyType map[string]bool
	// properties are the names of all properties, enums all values of enums.
	properties, enums map[string]bool
	// statuses are the codes by status.
	statuses map[string]map[string]bool
}

func openAPI(t *testing.T) *document {
	t.Helper()
	d := &document{bodies: map[string]map[string]bool{}, anyType: map[string]bool{}, properties: map[string]bool{},
		enums: map[string]bool{}, statuses: map[string]map[string]bool{}}
	if err := yaml.Unmarshal([]byte(api.OpenAPI), &d.all); err != nil {
		t.Fatal(err)
	}
	d.collect(d.all)
	for path, methods := range d.at("paths").(map[string]any) {
		for method, operation := range methods.(map[string]any) {
			d.operation(strings.ToUpper(method)+" "+normal(path), operation)
		}
	}
	if len(d.bodies) < 10 || len(d.statuses) < 5 {
		t.Fatalf("the OpenAPI document has %d calls and %d statuses with codes", len(d.bodies), len(d.statuses))
	}
	return d
}

func (d *document) operation(route string, v any) {
	operation, ok := v.(map[string]any)
	if !ok || operation["responses"] == nil {
		return
	}
	d.bodies[route] = map[string]bool{}
	if body, ok := d.resolve(operation["requestBody"]).(map[string]any); ok {
		content := body["content"].(map[string]any)
		for mediaType, v := range content {
			d.anyType[route] = d.anyType[route] || mediaType != "application/json"
			schema := d.resolve(v.(map[string]any)["schema"]).(map[string]any)
			properties, _ := schema["properties"].(map[string]any)
			for name := range properties {
				d.bodies[route][name] = true
			}
		}
	}
	for status, v := range operation["responses"].(map[string]any) {
		codes, _ := d.resolve(v).(map[string]any)["x-codes"].([]any)
		for _, code := range codes {
			if d.statuses[status] == nil {
				d.statuses[status] = map[string]bool{}
			}
			d.statuses[status][code.(string)] = true
		}
	}
}

// at returns what stands under a path of keys.
func (d *document) at(keys ...string) any {
	v := d.all
	for _, key := range keys {
		v = v.(map[string]any)[key]
	}
	return v
}

func (d *document) resolve(v any) any {
	if m, ok := v.(map[string]any); ok {
		if ref, ok := m["$ref"].(string); ok {
			return d.resolve(d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...))
		}
	}
	return v
}

// collect finds all properties and enums.
func (d *document) collect(v any) {
	switch v := v.(type) {
	case map[string]any:
		if properties, ok := v["properties"].(map[string]any); ok {
			for name := range properties {
				d.properties[name] = true
			}
		}
		if values, ok := v["enum"].([]any); ok {
			for _, value := range values {
				if text, ok := value.(string); ok {
					d.enums[text] = true
				}
			}
		}
		for _, each := range v {
			d.collect(each)
		}
	case []any:
		for _, each := range v {
			d.collect(each)
		}
	}
}

var variable = regexp.MustCompile(`\{[^}]*\}|\$\w+`)

// normal is a path without a query and with "{}" for every variable.
func normal(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return variable.ReplaceAllString(path, "{}")
}

var call = regexp.MustCompile(`\b(GET|POST|PUT|PATCH|DELETE) (/[^\s` + "`" + `,;]*)`)

func TestCallsAreThoseOfTheAPI(t *testing.T) {
	d := openAPI(t)
	named := map[string]bool{}
	for _, a := range articles(t) {
		for n, line := range a.prose {
			for _, m := range call.FindAllStringSubmatch(line, -1) {
				route := m[1] + " " + normal(strings.TrimRight(m[2], ".:"))
				named[route] = true
				if d.bodies[route] == nil {
					t.Errorf("%s: there is no call %s", a.at(n+1), m[0])
				}
			}
		}
	}
	for _, name := range []string{"chat-api.md", "operators.md", "../README.md"} {
		text := strings.Join(page(t, name).prose, "\n")
		for route := range d.bodies {
			if strings.Contains(route, " /operator/") != (name == "operators.md") {
				continue
			}
			method, path, _ := strings.Cut(route, " ")
			pattern := regexp.MustCompile(method + " " + strings.ReplaceAll(regexp.QuoteMeta(path), `\{\}`, `\{\w+\}`) + "`")
			if !pattern.MatchString(text) {
				t.Errorf("%s does not name the call %s", name, route)
			}
		}
	}
}

var (
	address  = regexp.MustCompile(`"\$(?:PARLEY|IDENTIFY_URL)(/[^"]*)"`)
	explicit = regexp.MustCompile(`-X ([A-Z]+)`)
	bodyFlag = regexp.MustCompile(`(?:-d|--json) '`)
)

// command is one call of curl in an example.
type command struct {
	text, route, body string
}

func commands(f fence) []command {
	var all []command
	for line := range strings.Lines(strings.ReplaceAll(f.text, "\\\n", " ")) {
		target := address.FindStringSubmatch(line)
		if !strings.Contains(line, "curl ") || target == nil {
			continue
		}
		c := command{text: line, body: shellWord(line)}
		method := "GET"
		if c.body != "" {
			method = "POST"
		}
		if m := explicit.FindStringSubmatch(line); m != nil {
			method = m[1]
		}
		c.route = method + " " + normal(target[1])
		all = append(all, c)
	}
	return all
}

// shellWord returns the body of a command: text in single quotes, interrupted by
// variables.
func shellWord(line string) string {
	at := bodyFlag.FindStringIndex(line)
	if at == nil {
		return ""
	}
	var b strings.Builder
	quoted := true
	for _, r := range line[at[1]:] {
		switch {
		case r == '\'':
			quoted = !quoted
		case !quoted && r == ' ':
			return b.String()
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestCurlExamplesFitTheAPI(t *testing.T) {
	d := openAPI(t)
	shown := map[string]bool{}
	for _, a := range articles(t) {
		for _, f := range a.fences {
			if f.info != "sh" {
				continue
			}
			for _, c := range commands(f) {
				d.checkCommand(t, a.at(f.line), c)
				shown[c.route] = true
			}
		}
	}
	for route := range d.bodies {
		// The one is opened by a browser, the other one read once.
		if !shown[route] && route != "GET /files/{}/{}/{}" && route != "GET /openapi.yaml" && route != "GET /csat/{}" {
			t.Errorf("no example shows %s", route)
		}
	}
}

func (d *document) checkCommand(t *testing.T, at string, c command) {
	t.Helper()
	allowed := d.bodies[c.route]
	if allowed == nil {
		t.Errorf("%s: there is no call %s", at, c.route)
		return
	}
	if c.body == "" {
		return
	}
	if !d.anyType[c.route] && !strings.Contains(c.text, "--json") && !strings.Contains(c.text, "Content-Type: application/json") {
		t.Errorf("%s: %s needs the content type application/json", at, c.route)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(c.body), &body); err != nil {
		t.Errorf("%s: body of %s: %v in %s", at, c.route, err, c.body)
	}
	for name := range body {
		if !allowed[name] {
			t.Errorf("%s: %s takes no field %q", at, c.route, name)
		}
	}
}

var member = regexp.MustCompile(`"(\w+)":`)

// JSON examples use the fields of the API, or those of a project's settings,
// which TestProjectExamples checks.
func TestJSONExamplesFitTheAPI(t *testing.T) {
	d := openAPI(t)
	for _, a := range articles(t) {
		for _, f := range a.fences {
			if f.info == "json" && !json.Valid([]byte(f.text)) {
				t.Errorf("%s: no JSON", a.at(f.line))
			}
			if f.info != "json" && !strings.Contains(f.text, "event: ") {
				continue
			}
			for _, m := range member.FindAllStringSubmatch(f.text, -1) {
				if !d.properties[m[1]] {
					t.Errorf("%s: the API has no field %q", a.at(f.line), m[1])
				}
			}
		}
	}
}

func TestErrorCodesAreThoseOfTheAPI(t *testing.T) {
	d := openAPI(t)
	told := map[string]map[string]bool{}
	for _, row := range page(t, "chat-api.md").rows(2) {
		if len(row[0]) != 3 || strings.Trim(row[0], "0123456789") != "" {
			continue
		}
		told[row[0]] = map[string]bool{}
		for _, code := range spans(row[1]) {
			told[row[0]][code] = true
		}
	}
	// Any call may meet what no single call is described with.
	want := maps.Clone(d.statuses)
	for status, code := range map[string]string{"404": "not_found", "405": "method_not_allowed", "500": "internal"} {
		want[status] = maps.Clone(want[status])
		if want[status] == nil {
			want[status] = map[string]bool{}
		}
		want[status][code] = true
	}
	for _, status := range slices.Sorted(maps.Keys(want)) {
		if !maps.Equal(told[status], want[status]) {
			t.Errorf("status %s: codes %v, want %v", status, slices.Sorted(maps.Keys(told[status])), slices.Sorted(maps.Keys(want[status])))
		}
	}
	for status := range told {
		if want[status] == nil {
			t.Errorf("status %s is none of the API's", status)
		}
	}
}

var snake = regexp.MustCompile(`^[a-z]+(?:_[a-z]+)+$`)

// Names in lower case with underscores are codes, values or settings, and none
// is invented.
func TestNamesExist(t *testing.T) {
	d := openAPI(t)
	settings := settingNames()
	for _, a := range articles(t) {
		for n, line := range a.prose {
			for _, span := range spans(line) {
				if snake.MatchString(span) && !d.enums[span] && !settings[span] && !otherNames[span] {
					t.Errorf("%s: %s is no code, value or setting", a.at(n+1), span)
				}
			}
		}
	}
}

// otherNames are of none of these.
var otherNames = map[string]bool{
	// Of OpenCX's protocol.
	"exit_mode_prompt": true, "query_params": true, "body_properties": true, "http_action_overrides": true, "path_params": true,
	"body_params": true, "required_form_submission": true, "chat_context": true,
	// Of ChatHub's protocol.
	"access_token": true, "user_ended": true, "agent_ended": true, "idle_timeout": true,
	"invalid_request": true, "message_too_large": true, "session_ended": true, "unknown_method": true, "unknown_agent": true,
	"session_not_found": true, "invalid_metadata": true, "generation_failed": true, "internal_error": true,
	// Of a function that is called past the distribution.
	"only_through_distribution": true,
	// Of the tools of control.
	string(parley.HandOver): true, string(parley.EndConversation): true, string(parley.MarkSolved): true,
	// Of the table, of the texts and of SAM.
	table.ExpiresAt: true, parley.TextIdlePrompt: true, parley.TextHandingOver: true, parley.TextCut: true, parley.TextIncomplete: true,
	parley.TextReplyMailSubject: true, parley.TextReplyMailIntro: true, parley.TextReplyMailFiles: true, parley.TextReplyMailLink: true,
	parley.TextReplyMailOnce: true, parley.TextReplyMailCut: true, "parameter_overrides": true}
