package api_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"

	"parley/shared/api"
	"parley/shared/parley"
)

// TestLogNear: the line of a bound that is nearly used up has what the alarm's filter
// looks for, and is no error.
func TestLogNear(t *testing.T) {
	var out bytes.Buffer
	api.LogNear(slog.New(slog.NewJSONHandler(&out, nil)))(parley.Near{Project: "demo", Bound: "project", What: "bytes"})
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["bound"] != "project" || line["counts"] != "bytes" || line["project"] != "demo" || line["level"] != "WARN" {
		t.Errorf("line = %v", line)
	}
	template, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if filter := `{ $.level = "ERROR" || $.bound = "*" ||`; !strings.Contains(string(template), filter) {
		t.Errorf("no filter %s", filter)
	}
}
