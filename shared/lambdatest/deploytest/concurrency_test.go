package deploytest

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// quick are the functions that never wait for a model, a reply, or a foreign host.
var quick = map[string]bool{"close": true, "history": true, "csat": true, "uploads": true, "identify": true, "feed": true, "sweep": true,
	"chathub": true, "consolews": true, "cossistantws": true}

// TestConcurrency: of each function that waits, executions can be reserved, so that it
// does not take those of the others; and none are unless somebody says so, for a new
// account has none to reserve.
func TestConcurrency(t *testing.T) {
	template := load(t)
	wanted := map[string]bool{}
	for id, f := range template.ofType("AWS::Serverless::Function") {
		reserved := f.at("Properties", "ReservedConcurrentExecutions")
		if quick[functionName(id)] {
			if reserved != nil {
				t.Errorf("%s reserves %v", id, reserved)
			}
			continue
		}
		parameter := strings.TrimSuffix(id, "Function") + "Concurrency"
		wanted[parameter] = true
		want := node{"Fn::If": []any{"Has" + parameter, node{"Ref": parameter}, node{"Ref": "AWS::NoValue"}}}
		if !reflect.DeepEqual(reserved, want) {
			t.Errorf("%s reserves %v, want %v", id, reserved, want)
		}
		if c := template.in("Conditions", "Has"+parameter); !reflect.DeepEqual(c, node{"Fn::Not": []any{node{"Fn::Equals": []any{node{"Ref": parameter}, 0}}}}) {
			t.Errorf("Has%s is %v", parameter, c)
		}
		if p := template.in("Parameters", parameter); p["Type"] != "Number" || p["Default"] != 0 || p["MinValue"] != 0 {
			t.Errorf("%s is %v, want a number, 0 by default", parameter, p)
		}
	}
	for name := range template.in("Parameters") {
		if strings.HasSuffix(name, "Concurrency") && !wanted[name] {
			t.Errorf("%s is of no function that waits", name)
		}
	}
	settings, err := os.ReadFile(filepath.Join(root, "samconfig.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(settings), "Concurrency") {
		t.Error("samconfig.toml reserves executions, so a new account cannot deploy it")
	}
}
