// Package deploytest checks template.yaml against the code that it deploys.
package deploytest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// root is the top of the repository.
var root = filepath.Join("..", "..", "..")

// node is a mapping of the template. Intrinsic functions are in their long
// form: !Ref X is {"Ref": "X"}, !GetAtt X.Arn is {"Fn::GetAtt": "X.Arn"}.
type node map[string]any

// load parses the template.
func load(t *testing.T) node {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, b)
}

func parse(t *testing.T, text []byte) node {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return plain(t, doc.Content[0]).(node)
}

func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	if name, ok := strings.CutPrefix(n.Tag, "!"); ok && !strings.HasPrefix(name, "!") {
		if name != "Ref" && name != "Condition" {
			name = "Fn::" + name
		}
		untagged := *n
		untagged.Tag = map[yaml.Kind]string{yaml.ScalarNode: "!!str", yaml.SequenceNode: "!!seq", yaml.MappingNode: "!!map"}[n.Kind]
		return node{name: plain(t, &untagged)}
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := node{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, twice := m[key]; twice {
				t.Fatalf("line %d: %s is there twice", n.Line, key)
			}
			m[key] = plain(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plain(t, c))
		}
		return list
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatalf("line %d: %v", n.Line, err)
	}
	return v
}

// at follows a path of keys; what is not there is nil.
func (n node) at(path ...string) any {
	var v any = n
	for _, key := range path {
		m, ok := v.(node)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// in is at for a mapping; what is not there is empty.
func (n node) in(path ...string) node {
	m, _ := n.at(path...).(node)
	return m
}

func (n node) list(path ...string) []any {
	l, _ := n.at(path...).([]any)
	return l
}

// ofType returns the resources of a type by logical id.
func (n node) ofType(kind string) map[string]node {
	found := map[string]node{}
	for id, r := range n.in("Resources") {
		if r := r.(node); r["Type"] == kind {
			found[id] = r
		}
	}
	return found
}

// functions returns the functions by name: ChatFunction is chat.
func (n node) functions() map[string]node {
	byName := map[string]node{}
	for id, r := range n.ofType("AWS::Serverless::Function") {
		byName[functionName(id)] = r
	}
	return byName
}

func functionName(id string) string { return strings.ToLower(strings.TrimSuffix(id, "Function")) }

// each calls visit with every mapping and every string below v.
func each(v any, visit func(any)) {
	switch v := v.(type) {
	case node:
		visit(v)
		for _, c := range v {
			each(c, visit)
		}
	case []any:
		for _, c := range v {
			each(c, visit)
		}
	case string:
		visit(v)
	}
}

// samTool returns a program of SAM CLI's installation.
func samTool(t *testing.T, name string) string {
	t.Helper()
	tool, err := filepath.Abs(filepath.Join(root, ".cache", "sam", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(tool); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SAM CLI is not installed; .ci/tools/sam does it")
	}
	return tool
}

// TestSAMTakesIt asks SAM CLI and its linter.
func TestSAMTakesIt(t *testing.T) {
	sam := samTool(t, "sam")
	cmd := exec.Command(sam, "validate", "--lint")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0", "AWS_DEFAULT_REGION=us-east-1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sam validate --lint: %v\n%s", err, out)
	}
}

// translate is what CloudFormation's transform for SAM does with the template, where the
// code of functions has been uploaded, as SAM CLI does it to find out what it may.
const translate = `
import json, sys
from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform
class NoPolicies:
    def load(self): return {}
t = yaml_parse(open("template.yaml").read())
t["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
parameters = {name: p.get("Default", "") for name, p in t["Parameters"].items()}
json.dump(transform(t, parameters, NoPolicies()), sys.stdout)
`

// TestSize: what CloudFormation makes of the template, with everything that it makes
// only where wanted, is well below its limits.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
func TestSize(t *testing.T) {
	cmd := exec.Command(samTool(t, "python"), "-c", translate)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0", "AWS_DEFAULT_REGION=us-east-1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Resources, Parameters, Outputs, Mappings map[string]json.RawMessage
	}
	if err := json.Unmarshal(out, &whole); err != nil {
		t.Fatal(err)
	}
	for what, is := range map[string]struct{ n, most int }{
		"bytes":      {len(out), 1_000_000},
		"resources":  {len(whole.Resources), 500},
		"parameters": {len(whole.Parameters), 200},
		"outputs":    {len(whole.Outputs), 200},
		"mappings":   {len(whole.Mappings), 200},
	} {
		t.Logf("%d %s", is.n, what)
		if is.n == 0 || is.n > is.most/2 {
			t.Errorf("%d %s, and CloudFormation takes %d: too many to go on adding", is.n, what, is.most)
		}
	}
}
