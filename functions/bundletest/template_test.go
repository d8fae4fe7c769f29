// Package bundletest runs all functions together: compiled as for a release,
// configured as template.yaml configures them, over DynamoDB Local and an S3
// server, behind function URLs and behind the HTTP API.
package bundletest

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// root is the top of the repository.
var root = filepath.Join("..", "..")

// template is template.yaml as CloudFormation reads it when it deploys: with
// values for the parameters, and for what refers to a resource.
type template struct {
	t   *testing.T
	doc *yaml.Node
	// values has what Ref "X", GetAtt "X.Y" and a substitution of either stand
	// for. A parameter that is not among them has its default.
	values map[string]string
}

func readTemplate(t *testing.T, values map[string]string) *template {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	return &template{t, doc.Content[0], values}
}

// at follows a path of keys; it returns nil for what is not there.
func at(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		var found *yaml.Node
		for i := 0; n != nil && n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				found = n.Content[i+1]
			}
		}
		n = found
	}
	return n
}

// pairs returns a mapping's keys and values; nil has none.
func pairs(n *yaml.Node) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	for i := 0; n != nil && i < len(n.Content); i += 2 {
		out[n.Content[i].Value] = n.Content[i+1]
	}
	return out
}

// text is the value of a node, with the intrinsic functions in it carried out.
func (tp *template) text(n *yaml.Node) string {
	tp.t.Helper()
	switch n.Tag {
	case "!Ref", "!GetAtt":
		return tp.named(n.Value)
	case "!Sub":
		return placeholder.ReplaceAllStringFunc(n.Value, func(s string) string { return tp.named(s[2 : len(s)-1]) })
	case "!If":
		if tp.holds(at(tp.doc, "Conditions", n.Content[0].Value)) {
			return tp.text(n.Content[1])
		}
		return tp.text(n.Content[2])
	case "!FindInMap":
		path := []string{"Mappings"}
		for _, key := range n.Content {
			path = append(path, tp.text(key))
		}
		if found := at(tp.doc, path...); found != nil {
			return found.Value
		}
	}
	if n.Kind != yaml.ScalarNode || !strings.HasPrefix(n.Tag, "!!") {
		tp.t.Fatalf("template.yaml line %d: cannot read a value of %s", n.Line, n.Tag)
	}
	return n.Value
}

// noValue is what CloudFormation takes as: leave this out.
const noValue = "AWS::NoValue"

var placeholder = regexp.MustCompile(`\$\{[\w.:]+\}`)

func (tp *template) named(name string) string {
	tp.t.Helper()
	if name == noValue {
		return noValue
	}
	if v, ok := tp.values[name]; ok {
		return v
	}
	parameter := at(tp.doc, "Parameters", name, "Default")
	if parameter == nil {
		tp.t.Fatalf("template.yaml names %s, which this test does not deploy", name)
	}
	return parameter.Value
}

func (tp *template) holds(condition *yaml.Node) bool {
	tp.t.Helper()
	switch {
	case condition != nil && condition.Tag == "!Not":
		return !tp.holds(condition.Content[0])
	case condition != nil && condition.Tag == "!Equals":
		return tp.text(condition.Content[0]) == tp.text(condition.Content[1])
	}
	tp.t.Fatalf("template.yaml: cannot read the condition %v", condition)
	return false
}

// functions returns the names of the functions: ChatFunction is chat.
func (tp *template) functions() []string {
	var names []string
	for id, resource := range pairs(at(tp.doc, "Resources")) {
		if at(resource, "Type").Value == "AWS::Serverless::Function" {
			names = append(names, strings.ToLower(strings.TrimSuffix(id, "Function")))
		}
	}
	slices.Sort(names)
	return names
}

func logicalID(name string) string { return strings.ToUpper(name[:1]) + name[1:] + "Function" }

// property returns a property of a function, its own or else the global one.
func (tp *template) property(name string, path ...string) *yaml.Node {
	if n := at(at(tp.doc, "Resources", logicalID(name), "Properties"), path...); n != nil {
		return n
	}
	return at(at(tp.doc, "Globals", "Function"), path...)
}

// environment returns the variables of a function.
func (tp *template) environment(name string) map[string]string {
	tp.t.Helper()
	env := map[string]string{}
	for _, of := range []*yaml.Node{at(tp.doc, "Globals", "Function"), at(tp.doc, "Resources", logicalID(name), "Properties")} {
		for k, v := range pairs(at(of, "Environment", "Variables")) {
			if value := tp.text(v); value != noValue {
				env[k] = value
			}
		}
	}
	return env
}

func (tp *template) timeout(name string) time.Duration {
	tp.t.Helper()
	var seconds int
	if err := tp.property(name, "Timeout").Decode(&seconds); err != nil {
		tp.t.Fatal(err)
	}
	return time.Duration(seconds) * time.Second
}

// hasURL reports whether a function has a URL of its own.
func (tp *template) hasURL(name string) bool { return tp.property(name, "FunctionUrlConfig") != nil }

// routes returns which function serves a path of the HTTP API.
func (tp *template) routes() map[string]string {
	tp.t.Helper()
	served := map[string]string{}
	for _, name := range tp.functions() {
		for _, event := range pairs(tp.property(name, "Events")) {
			if at(event, "Type").Value != "HttpApi" {
				continue
			}
			if method := at(event, "Properties", "Method").Value; method != "any" {
				tp.t.Fatalf("%s: a route for %s alone", name, method)
			}
			served[at(event, "Properties", "Path").Value] = name
		}
	}
	return served
}

// TestTemplate reads values that are as they are only if the functions of
// CloudFormation are carried out as it does.
func TestTemplate(t *testing.T) {
	tp := readTemplate(t, map[string]string{"Table": "sessions", "MasterSecret": "arn:secret", "UploadsFunctionUrl.FunctionUrl": "https://u/"})
	want := map[string]string{"GOMEMLIMIT": "108MiB", "PARLEY_TABLE": "sessions", "PARLEY_SECRET_ARN": "arn:secret", "PARLEY_URLS": `{"uploads":"https://u/"}`}
	if got := tp.environment("updates"); !maps.Equal(got, want) {
		t.Errorf("environment = %v, want %v", got, want)
	}
	tp.values["PublicURL"] = "https://p"
	want["PARLEY_URLS"] = `{"uploads":"https://p/"}`
	if got := tp.environment("updates"); !maps.Equal(got, want) {
		t.Errorf("behind a distribution: environment = %v, want %v", got, want)
	}
	if a, b := tp.timeout("chat"), tp.timeout("close"); a != 2*time.Minute || b != 15*time.Second {
		t.Errorf("timeouts = %v, %v", a, b)
	}
	if got := tp.routes()["/files/{id}/{secret}/{name}"]; got != "uploads" {
		t.Errorf("/files is served by %q", got)
	}
	if !tp.hasURL("chat") || tp.hasURL("sweep") {
		t.Error("not chat but sweep has a URL")
	}
}
