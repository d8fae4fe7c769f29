package sam

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// atOnce is how many requests one warm container serves beside each other, of a
// function that waits. Our choice: more than one person opens in tabs.
const atOnce = 16

// architectures are Lambda's names of processors, by Go's.
var architectures = map[string]string{"amd64": "x86_64", "arm64": "arm64"}

// Template returns template.yaml as SAM runs it on a machine whose processor Go calls
// goarch. It differs in four things:
//
//   - the processor, and the folder of each function, which is named like its logical id;
//   - the variables given, which all functions get: SAM passes on only what is declared;
//   - functions that wait may serve several requests at once, or whoever wants to stop a
//     reply would have to wait for it: those whose executions can be reserved;
//   - a path with a slash behind it, which for API Gateway is the same path and for SAM
//     is not, has a route of its own, where there are routes below it.
func Template(text []byte, goarch string, variables map[string]string) ([]byte, error) {
	architecture, ok := architectures[goarch]
	if !ok {
		return nil, fmt.Errorf("no function runs on %s", goarch)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode {
		return nil, errors.New("the template is empty")
	}
	top := doc.Content[0]
	all := under(top, "Globals", "Function")
	set(all, "Architectures", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{scalar(architecture)}})
	declare(all, variables)
	for _, f := range functions(top) {
		set(f.properties, "CodeUri", scalar(f.id))
		if value(f.properties, "ReservedConcurrentExecutions") != nil {
			declare(f.properties, map[string]string{"AWS_LAMBDA_MAX_CONCURRENCY": strconv.Itoa(atOnce)})
		}
		if events := value(f.properties, "Events"); events != nil {
			addSlashes(events)
		}
	}
	return yaml.Marshal(&doc)
}

// addSlashes adds the routes of paths with a slash behind them.
func addSlashes(events *yaml.Node) {
	paths := map[string]bool{}
	for _, route := range routes(events) {
		paths[route.path.Value] = true
	}
	for _, route := range routes(events) {
		if path := route.path.Value; paths[path+"/{path+}"] {
			set(events, route.id+"Slash", &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
				scalar("Type"), scalar("HttpApi"),
				scalar("Properties"), {Kind: yaml.MappingNode, Content: []*yaml.Node{
					scalar("Method"), scalar("any"), scalar("Path"), scalar(path + "/")}}}})
		}
	}
}

// route is one of the HTTP API's.
type route struct {
	id   string
	path *yaml.Node
}

func routes(events *yaml.Node) (all []route) {
	for i := 0; i+1 < len(events.Content); i += 2 {
		e := events.Content[i+1]
		if kind := value(e, "Type"); kind != nil && kind.Value == "HttpApi" {
			if path := value(under(e, "Properties"), "Path"); path != nil {
				all = append(all, route{events.Content[i].Value, path})
			}
		}
	}
	return all
}

// function is one of a template.
type function struct {
	id         string
	properties *yaml.Node
}

func functions(top *yaml.Node) (all []function) {
	resources := under(top, "Resources")
	for i := 0; i+1 < len(resources.Content); i += 2 {
		r := resources.Content[i+1]
		if kind := value(r, "Type"); kind != nil && kind.Value == "AWS::Serverless::Function" {
			all = append(all, function{resources.Content[i].Value, under(r, "Properties")})
		}
	}
	return all
}

func declare(of *yaml.Node, variables map[string]string) {
	declared := under(of, "Environment", "Variables")
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		set(declared, name, scalar(variables[name]))
	}
}

// scalar is a text, which YAML takes for nothing else.
func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// value returns what a mapping has for a key, nil if nothing.
func value(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

func set(m *yaml.Node, key string, v *yaml.Node) {
	if old := value(m, key); old != nil {
		*old = *v
		return
	}
	m.Content = append(m.Content, scalar(key), v)
}

// under follows keys to a mapping, which is made where it is missing.
func under(m *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		next := value(m, key)
		if next == nil {
			next = &yaml.Node{Kind: yaml.MappingNode}
			set(m, key, next)
		}
		m = next
	}
	return m
}
