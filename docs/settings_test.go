package docs_test

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"parley/functions/operator"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/token"
)

// names are the JSON names of a struct's fields.
func names(v any) map[string]bool {
	all := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all[name] = true
	}
	return all
}

// settingNames are all names in a project's settings.
func settingNames() map[string]bool {
	all := map[string]bool{}
	for _, v := range []any{parley.Project{}, parley.AgentSettings{}, parley.UploadSettings{}, parley.ChallengeSettings{}, parley.Budgets{}, parley.ReviewSettings{}, parley.Mode{}, parley.Action{}, parley.ActionValue{}, parley.Hook{}, parley.NotifySettings{}, parley.QuietHours{}, parley.ReplyMail{}} {
		maps.Copy(all, names(v))
	}
	return all
}

// Examples of settings hold nothing that a project does not have, and the first
// one, which is complete, can be stored.
func TestProjectExamples(t *testing.T) {
	found := 0
	for _, a := range articles(t) {
		for _, f := range a.fences {
			if f.info != "json project" {
				continue
			}
			found++
			var p parley.Project
			decoder := json.NewDecoder(strings.NewReader(f.text))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&p); err != nil {
				t.Errorf("%s: %v", a.at(f.line), err)
			}
			if p.ID != "" {
				parleytest.Put(t, parleytest.Store(t, parley.Config{}), p)
			}
		}
	}
	if found < 3 {
		t.Errorf("%d examples of settings, want some", found)
	}
}

func TestProjectSettingsAreAllDescribed(t *testing.T) {
	var told []string
	for _, row := range page(t, "projects.md").rows(3) {
		told = append(told, spans(row[0])...)
	}
	slices.Sort(told)
	if want := slices.Sorted(maps.Keys(names(parley.Project{}))); !slices.Equal(told, want) {
		t.Errorf("settings described %q, want %q", told, want)
	}
}

func TestBudgetsAreAllDescribed(t *testing.T) {
	want := names(parley.Budgets{})
	for _, row := range page(t, "agents.md").rows(3) {
		for _, name := range spans(row[1]) {
			delete(want, name)
		}
	}
	if len(want) > 0 {
		t.Errorf("agents.md does not describe the budgets %v", want)
	}
}

var made = regexp.MustCompile(`make project COMMAND='([^']*)'`)

// The commands that the articles have people run make a project with keys that
// work, and another key for it.
func TestDocumentedCommandsMakeAProject(t *testing.T) {
	keys, err := token.New(token.Config{Masters: [][]byte{[]byte(strings.Repeat("m", token.MinMasterBytes))}})
	if err != nil {
		t.Fatal(err)
	}
	store := parleytest.Store(t, parley.Config{})
	run := operator.Commands(store, keys)
	for _, name := range []string{"deploying.md", "identity.md"} {
		var command string
		for _, f := range page(t, name).fences {
			if m := made.FindStringSubmatch(f.text); m != nil {
				command = m[1]
			}
		}
		answer, err := run(t.Context(), json.RawMessage(command))
		if err != nil {
			t.Fatalf("%s: %q: %v", name, command, err)
		}
		got := answer.(operator.Created)
		key, err := store.PrivateKeyOf(t.Context(), got.PrivateKey)
		if err != nil || key.Project != "shop" || len(key.Scopes) != len(parley.Scopes()) {
			t.Errorf("%s: the private key is %+v, %v", name, key, err)
		}
		for _, public := range got.PublicKeys {
			if p, err := store.ProjectByKey(t.Context(), public); err != nil || p.ID != "shop" {
				t.Errorf("%s: the public key names %+v, %v", name, p, err)
			}
		}
		if name == "deploying.md" && (len(got.PublicKeys) != 2 || got.SigningSecret == "") {
			t.Errorf("created: %+v", got)
		}
	}
	var void string
	for _, f := range page(t, "operating.md").fences {
		if m := made.FindStringSubmatch(f.text); m != nil {
			void = m[1]
		}
	}
	answer, err := run(t.Context(), json.RawMessage(void))
	if p, stoodErr := store.Settings(t.Context(), "shop"); err != nil || stoodErr != nil || answer != (operator.Voided{Project: "shop", Generation: 1}) || p.Project.TokenGeneration != 1 {
		t.Errorf("%s = %+v, %v; the settings are of generation %d, %v", void, answer, err, p.Project.TokenGeneration, stoodErr)
	}
	for _, bad := range []string{"{}", "[]", `{"voidTokens": {"project": "nobody"}}`,
		`{"voidTokens": {"project": "shop"}, "createKey": {"project": "shop", "name": "x"}}`, `{"createKey": {"project": "nobody", "name": "x"}}`, `{"createProject": {"id": "shop"}}`, `{"createProject": {"id": "A"}}`} {
		if got, err := run(t.Context(), json.RawMessage(bad)); err == nil {
			t.Errorf("%s makes %+v", bad, got)
		}
	}
}

func TestTemplateParametersAreAllDescribed(t *testing.T) {
	text, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Parameters map[string]struct {
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	for _, row := range page(t, "deploying.md").rows(3) {
		name, value := strings.Trim(row[0], "`"), strings.Trim(row[1], "`")
		parameter, ok := template.Parameters[name]
		if !ok || parameter.Default != value {
			t.Errorf("deploying.md has the parameter %s with the default %q, the template %q, %v", name, value, parameter.Default, ok)
		}
		delete(template.Parameters, name)
	}
	if len(template.Parameters) > 0 {
		t.Errorf("deploying.md does not describe the parameters %v", template.Parameters)
	}
}

var getenv = regexp.MustCompile(`getenv\("(\w+)"\)`)

func TestSettingsOfMakeRunAreAllDescribed(t *testing.T) {
	text, err := os.ReadFile("../local/settings.go")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, m := range getenv.FindAllStringSubmatch(string(text), -1) {
		want[m[1]] = true
	}
	told := map[string]bool{}
	for _, row := range page(t, "getting-started.md").rows(3) {
		told[strings.Trim(row[0], "`")] = true
	}
	if !maps.Equal(told, want) {
		t.Errorf("settings described %v, want %v", told, want)
	}
}
