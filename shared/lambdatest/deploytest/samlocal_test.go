package deploytest

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"parley/local/sam"
)

// TestSAMLocal: what SAM runs on one machine is what is deployed, but for what can only
// be otherwise there. Each difference is taken back, and then nothing is left of it.
func TestSAMLocal(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for goarch, architecture := range map[string]string{"amd64": "x86_64", "arm64": "arm64"} {
		generated, err := sam.Template(text, goarch, map[string]string{"ADDED": "12"})
		if err != nil {
			t.Fatal(err)
		}
		got, want := parse(t, generated), parse(t, text)
		all := got.in("Globals", "Function")
		if a := all.list("Architectures"); !reflect.DeepEqual(a, []any{architecture}) {
			t.Errorf("%s: Architectures = %v", goarch, a)
		}
		all["Architectures"] = want.at("Globals", "Function", "Architectures")
		if v := take(all.in("Environment", "Variables"), "ADDED"); v != "12" {
			t.Errorf("%s: the variable is %v", goarch, v)
		}
		for name, f := range got.functions() {
			p := f.in("Properties")
			if folder := take(p, "CodeUri"); folder != strings.ToUpper(name[:1])+name[1:]+"Function" {
				t.Errorf("%s is in %v", name, folder)
			}
			waits := p["ReservedConcurrentExecutions"] != nil
			if n := take(p.in("Environment", "Variables"), "AWS_LAMBDA_MAX_CONCURRENCY"); (n == "16") != waits || !waits && n != nil {
				t.Errorf("%s waits: %v; serves %v at once", name, waits, n)
			}
			if name == "operator" {
				slash, _ := take(p.in("Events"), "ConsoleRootSlash").(node)
				if want := (node{"Type": "HttpApi", "Properties": node{"Method": "any", "Path": "/console/"}}); !reflect.DeepEqual(slash, want) {
					t.Errorf("/console/ is served by %v", slash)
				}
			}
		}
		if !reflect.DeepEqual(got, want) {
			for id, r := range want.in("Resources") {
				if g := got.at("Resources", id); !reflect.DeepEqual(g, r) {
					t.Errorf("%s: %s = %v, want %v", goarch, id, g, r)
				}
			}
			t.Errorf("%s: the template differs in more", goarch)
		}
	}
	if _, err := sam.Template(text, "riscv64", nil); err == nil {
		t.Error("there is a template for a processor that Lambda has not")
	}
}

func take(n node, key string) any {
	v := n[key]
	delete(n, key)
	return v
}
