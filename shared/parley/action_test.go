package parley_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// order is an action with everything that one can have.
func order() parley.Action {
	return parley.Action{ID: "find_order", Name: "Find an order", Description: "Finds an order by its number.",
		Parameters: json.RawMessage(`{"type":"object","properties":{"order":{"type":"string"},"lines":{"type":"boolean"}},"required":["order"]}`),
		Method:     "POST", URL: "https://api.example.com:8443/{shop}/orders/{order}?v=2", Query: []string{"lines"}, TimeoutSeconds: 30,
		Values: []parley.ActionValue{
			{In: parley.InHeader, Name: "Authorization", Secret: "shop-token"},
			{In: parley.InHeader, Name: "X-Trace", Open: true},
			{In: parley.InPath, Name: "shop", Value: json.RawMessage(`"main"`), Open: true},
			{In: parley.InQuery, Name: "page", Value: json.RawMessage(`1`)},
			{In: parley.InBody, Name: "context", Value: json.RawMessage(`{"a":[1]}`)},
		}}
}

// numbered are so many values in the body.
func numbered(n int) (all []parley.ActionValue) {
	for i := range n {
		all = append(all, parley.ActionValue{In: parley.InBody, Name: fmt.Sprint("v", i)})
	}
	return all
}

func TestActionsAreChecked(t *testing.T) {
	long := strings.Repeat("x", 5000)
	tests := []struct {
		says   string // "" if it can be stored
		change func(a *parley.Action)
	}{
		{"", func(*parley.Action) {}},
		{"", func(a *parley.Action) { *a = parley.Action{ID: "a", Description: "d", URL: "https://h.example.com"} }},
		{"", func(a *parley.Action) { a.URL = "http://localhost:8080/{shop}/{order}" }},
		{"id is 1 to 64", func(a *parley.Action) { a.ID = "find order" }},
		{"id is 1 to 64", func(a *parley.Action) { a.ID = "" }},
		{"enter_mode is taken", func(a *parley.Action) { a.ID = parley.EnterMode }},
		{"hand_over is taken", func(a *parley.Action) { a.ID = parley.HandOver }},
		{"end_conversation is taken", func(a *parley.Action) { a.ID = parley.EndConversation }},
		{"mark_solved is taken", func(a *parley.Action) { a.ID = parley.MarkSolved }},
		{"description is missing", func(a *parley.Action) { a.Description = "" }},
		{"1000 bytes", func(a *parley.Action) { a.Description = long }},
		{"4096 bytes", func(a *parley.Action) {
			a.Parameters = json.RawMessage(`{"type":"object","description":"` + long + `"}`)
		}},
		{"no schema: it uses \"pattern\"", func(a *parley.Action) { a.Parameters = json.RawMessage(`{"type":"object","pattern":"x"}`) }},
		{"method is GET", func(a *parley.Action) { a.Method = "get" }},
		{"timeout_seconds is 0 to 30", func(a *parley.Action) { a.TimeoutSeconds = 31 }},
		{"timeout_seconds is 0 to 30", func(a *parley.Action) { a.TimeoutSeconds = -1 }},
		{`names "size"`, func(a *parley.Action) { a.Query = []string{"size"} }},
		{"begin with https", func(a *parley.Action) { a.URL = "http://api.example.com/{shop}/{order}" }},
		{"begin with https", func(a *parley.Action) { a.URL = "ftp://api.example.com/{shop}/{order}" }},
		{"begin with https", func(a *parley.Action) { a.URL = "/{shop}/{order}" }},
		{"has a user", func(a *parley.Action) { a.URL = "https://u:p@api.example.com/{shop}/{order}" }},
		{"a fragment", func(a *parley.Action) { a.URL = "https://api.example.com/{shop}/{order}#x" }},
		{"no placeholder", func(a *parley.Action) { a.URL = "https://api.example.com/{shop}/{order}/{}" }},
		{"outside of the URL's path", func(a *parley.Action) { a.URL = "https://{shop}.example.com/{order}" }},
		{"outside of the URL's path", func(a *parley.Action) { a.URL = "https://api.example.com/{shop}?o={order}" }},
		{"{size} is neither", func(a *parley.Action) { a.URL = "https://api.example.com/{shop}/{order}/{size}" }},
		{"{lines} is neither", func(a *parley.Action) { a.URL = "https://api.example.com/{shop}/{order}/{lines}" }},
		{"none of header", func(a *parley.Action) { a.Values[0].In = "cookie" }},
		{"has no name", func(a *parley.Action) { a.Values[0].Name = "" }},
		{"no name of a header", func(a *parley.Action) { a.Values[0].Name = "X Token" }},
		{"the request sets itself", func(a *parley.Action) { a.Values[0].Name = "HOST" }},
		{"no place in the URL", func(a *parley.Action) { a.URL = "https://api.example.com/{order}" }},
		{"which the method has not", func(a *parley.Action) { a.Method = "DELETE" }},
		{"open besides", func(a *parley.Action) { a.Values[0].Open = true }},
		{"open besides", func(a *parley.Action) { a.Values[0].Value = json.RawMessage(`"x"`) }},
		{"outside of a header", func(a *parley.Action) { a.Values[0].In = parley.InQuery }},
		{"names a secret", func(a *parley.Action) { a.Values[0].Secret = "arn:aws:ssm:x" }},
		{"names a secret", func(a *parley.Action) { a.Values[0].Secret = "../master" }},
		{"declared twice", func(a *parley.Action) { a.Values[1].Name = "AUTHORIZATION" }},
		{"neither a string", func(a *parley.Action) { a.Values[3].Value = json.RawMessage(`[1]`) }},
		{"neither a string", func(a *parley.Action) { a.Values[3].Value = json.RawMessage(`null`) }},
		{"control characters", func(a *parley.Action) { a.Values[1].Value = json.RawMessage(`"a\r\nX-Evil: b"`) }},
		{"control characters", func(a *parley.Action) { a.Values[1].Value = json.RawMessage(`"a\u001f"`) }},
		{"", func(a *parley.Action) { a.Values[1].Value = json.RawMessage(`"a b\tc"`) }},
		{"too long", func(a *parley.Action) {
			a.Values[4].Value = json.RawMessage(`"` + long[:parley.MaxActionValueBytes-1] + `"`)
		}},
		{"", func(a *parley.Action) {
			a.Values[4].Value = json.RawMessage(`"` + long[:parley.MaxActionValueBytes-2] + `"`)
		}},
		{"too long a one", func(a *parley.Action) { a.Values[4].Name = long[:parley.MaxActionNameBytes+1] }},
		{"", func(a *parley.Action) { a.Values[4].Name = long[:parley.MaxActionNameBytes] }},
		{"more than 20 values", func(a *parley.Action) { a.Values = numbered(parley.MaxActionValues + 1) }},
		{"", func(a *parley.Action) {
			a.URL, a.Values = "https://api.example.com/{order}", numbered(parley.MaxActionValues)
		}},
	}
	s := parleytest.Store(t, parley.Config{})
	for i, test := range tests {
		p := parleytest.Settings()
		a := order()
		test.change(&a)
		p.Actions = []parley.Action{a}
		err := s.PutProject(context.Background(), p)
		if test.says == "" && err != nil || test.says != "" && (!errors.Is(err, parley.ErrInvalid) || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%d: PutProject = %v, want %q", i, err, test.says)
		}
	}
}

func TestActionsAndModesAreFew(t *testing.T) {
	s := parleytest.Store(t, parley.Config{})
	put := func(change func(p *parley.Project)) error {
		p := parleytest.Settings()
		change(&p)
		return s.PutProject(context.Background(), p)
	}
	many := func(n, bytes int) func(p *parley.Project) {
		return func(p *parley.Project) {
			for i := range n {
				p.Actions = append(p.Actions, parley.Action{ID: parley.ActionID(fmt.Sprint("a", i)), Description: strings.Repeat("d", 1000),
					URL: "https://h.example.com", Parameters: json.RawMessage(`{"type":"object","description":"` + strings.Repeat("x", bytes) + `"}`)})
			}
		}
	}
	mode := func(m ...parley.Mode) func(p *parley.Project) { return func(p *parley.Project) { p.Modes = m } }
	for says, change := range map[string]func(p *parley.Project){
		"":                   many(parley.MaxProjectActions, 10),
		"at most 20 actions": many(parley.MaxProjectActions+1, 10),
		"65536 bytes":        many(parley.MaxProjectActions, 3000),
		"a1 is taken": func(p *parley.Project) {
			many(2, 1)(p)
			p.Actions[0].ID = "a1"
		},
		"id is 1 to 32":     mode(parley.Mode{ID: "Returns", Name: "R"}),
		"an entry twice":    mode(parley.Mode{ID: "returns", Name: "R"}, parley.Mode{ID: "returns", Name: "S"}),
		"a mode has a name": mode(parley.Mode{ID: "returns"}),
		"1000 bytes":        mode(parley.Mode{ID: "returns", Name: "R", Description: strings.Repeat("x", 1001)}),
	} {
		if err := put(change); says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("PutProject = %v, want %q", err, says)
		}
	}
}

// TestActionSaysItsName: what people read of an action is its name, or else its id; and
// its address takes values as one segment of the path each.
func TestActionSaysItsName(t *testing.T) {
	a := order()
	if got := a.Label(); got != "Find an order" {
		t.Errorf("label = %q", got)
	}
	a.Name = ""
	if got := a.Label(); got != "find_order" {
		t.Errorf("label without a name = %q", got)
	}
	got := parley.FillPath("https://h.example/{shop}/orders/{order}", func(name string) string { return "a/" + name })
	if want := "https://h.example/a%2Fshop/orders/a%2Forder"; got != want {
		t.Errorf("FillPath = %q, want %q", got, want)
	}
}

// TestOverridesAreOpened: of what a browser brings along, a run gets what an action
// leaves open, wherever in the request it stands.
func TestOverridesAreOpened(t *testing.T) {
	onBolt(t, func(s scene) {
		p := generous()
		a := order()
		a.Values = nil
		a.URL = "https://api.example.com/{shop}/{shut}/{order}"
		for _, name := range []string{"shop", "shut"} {
			for _, in := range []parley.ActionPlace{parley.InHeader, parley.InQuery, parley.InPath, parley.InBody} {
				v := parley.ActionValue{In: in, Name: name, Open: name == "shop"}
				if in == parley.InPath {
					v.Value = json.RawMessage(`"main"`)
				}
				a.Values = append(a.Values, v)
			}
		}
		p.Actions = []parley.Action{a}
		parleytest.Put(s, s.store, p)
		texts := map[string]string{"shop": "a", "shut": "b", "other": "c"}
		values := map[string]json.RawMessage{"shop": json.RawMessage(`[1]`), "shut": json.RawMessage(`2`), "other": json.RawMessage(`3`)}
		r := say("m", "")
		r.Extras.Overrides = parley.Overrides{Headers: texts, Query: texts, Path: texts, Body: values}
		sent := s.send(r)
		got, err := s.store.Extras(t.Context(), sent.Ref, "m")
		if err != nil {
			s.Fatal(err)
		}
		one := map[string]string{"shop": "a"}
		want := parley.Overrides{Headers: one, Query: one, Path: one, Body: map[string]json.RawMessage{"shop": json.RawMessage(`[1]`)}}
		if a, b := fmt.Sprintf("%s", got.Overrides), fmt.Sprintf("%s", want); a != b {
			s.Errorf("opened are %s, want %s", a, b)
		}
	})
}

// inBody are values for a body which take so many bytes with all that is around them.
func inBody(bytes int) map[string]json.RawMessage {
	values := map[string]json.RawMessage{}
	for n := range 5 {
		values[fmt.Sprint(n)] = json.RawMessage(`"` + strings.Repeat("x", 780) + `"`)
	}
	data, _ := json.Marshal(parley.Overrides{Body: values})
	values["4"] = json.RawMessage(`"` + strings.Repeat("x", 780+bytes-len(data)) + `"`)
	return values
}

// TestOverridesAreBounded: what is brought along for a contact can be sent, or is refused.
func TestOverridesAreBounded(t *testing.T) {
	long := strings.Repeat("n", parley.MaxActionNameBytes+1)
	onBolt(t, func(s scene) {
		for name, test := range map[string]struct {
			brought parley.Overrides
			code    string
		}{
			"a header":              {parley.Overrides{Headers: map[string]string{"X-A": "b"}}, ""},
			"the longest name":      {parley.Overrides{Query: map[string]string{long[1:]: "b"}}, ""},
			"a longer name":         {parley.Overrides{Query: map[string]string{long: "b"}}, "invalid_field"},
			"a longer name in body": {parley.Overrides{Body: map[string]json.RawMessage{long: json.RawMessage("1")}}, "invalid_field"},
			"the longest in body":   {parley.Overrides{Body: map[string]json.RawMessage{long[1:]: json.RawMessage("1")}}, ""},
			"no JSON":               {parley.Overrides{Body: map[string]json.RawMessage{"a": json.RawMessage("{")}}, "invalid_field"},
			"no UTF-8":              {parley.Overrides{Query: map[string]string{"a": "\xff"}}, "invalid_field"},
			"a header of two lines": {parley.Overrides{Headers: map[string]string{"X-A": "b\nc"}}, "invalid_field"},
			"as much as may be":     {parley.Overrides{Body: inBody(parley.MaxOverridesBytes)}, ""},
			"a byte more":           {parley.Overrides{Body: inBody(parley.MaxOverridesBytes + 1)}, "too_large"},
			"more than may be":      {parley.Overrides{Query: map[string]string{"a": strings.Repeat("x", parley.MaxOverridesBytes)}}, "too_large"},
		} {
			_, _, err := s.store.Vouch(t.Context(), s.operator(), parley.Identity{External: "ann", Overrides: &test.brought})
			s.want(name, err, test.code)
		}
	})
}

// TestCallsOf: a log's calls are known by what it says of each last, and of one that was
// begun and not ended nobody knows more.
func TestCallsOf(t *testing.T) {
	call := func(id, result, failed string, form *parley.Form) parley.LogEntry {
		c := &parley.ActionCall{ID: id, Error: failed, Form: form}
		if result != "" {
			c.Result = json.RawMessage(result)
		}
		return parley.LogEntry{Kind: parley.LogCall, Call: c}
	}
	calls := parley.CallsOf([]parley.LogEntry{
		call("1", "", "", nil), {Kind: parley.LogText, Text: "wait"}, call("2", "", "", nil), call("1", "7", "", nil),
		call("3", "", "no answer", nil), call("4", "", "", &parley.Form{}), {Kind: parley.LogEnd}})
	var got []string
	for _, c := range calls {
		got = append(got, fmt.Sprintf("%s result %s error %.11s form %v", c.ID, c.Result, c.Error, c.Form != nil))
	}
	want := []string{"1 result 7 error  form false", "2 result  error Interrupted form false", "3 result  error no answer form false", "4 result  error  form true"}
	if !slices.Equal(got, want) {
		t.Errorf("calls are\n%q, want\n%q", got, want)
	}
}
