package schema_test

import (
	"encoding/json"
	"strings"
	"testing"

	"parley/shared/schema"
)

func TestParse(t *testing.T) {
	deep := strings.Repeat(`{"type":"object","properties":{"a":`, 5) + `{"type":"string"}` + strings.Repeat("}}", 5)
	for text, want := range map[string]string{
		`{"type":"object"}`: "",
		`{"type":["object"],"properties":{"a":{"type":["string","null"],"description":"d","format":"date","default":"x","examples":["y"]}},"required":["a"],"additionalProperties":false}`: "",
		`{"type":"object","properties":{"a":{}}} x`: "it goes on",
		``:                                   "not a JSON object",
		`[]`:                                 "not a JSON object",
		`{"type":"string"}`:                  `its type is not "object"`,
		`{}`:                                 `its type is not "object"`,
		`{"type":["object","null"]}`:         `its type is not "object"`,
		`{"type":7}`:                         "not a JSON object of keywords",
		`{"type":"object","required":["a"]}`: "requires \"a\", which it does not describe",
		`{"type":"object","required":"a"}`:   "required has a value of the wrong kind",
		`{"type":"object","properties":{"a":{"type":"text"}}}`:              `a has the type "text"`,
		`{"type":"object","properties":{"a":null}}`:                         "a has no schema",
		`{"type":"object","properties":{"a":{"pattern":"(a+)+"}}}`:          `"pattern", which is not among`,
		`{"type":"object","properties":{"a":{"$ref":"http://h"}}}`:          `"$ref"`,
		`{"type":"object","properties":{"a":{"items":{"type":"list"}}}}`:    `a[] has the type "list"`,
		`{"type":"object","properties":{"a":{"items":{"type":"integer"}}}}`: "",
		deep: "a.a.a.a.a is nested deeper than 5",
	} {
		_, err := schema.Parse(json.RawMessage(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%s) = %v, want %q", text, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	s, err := schema.Parse(json.RawMessage(`{"type":"object","properties":{
		"order":{"type":"string","minLength":2,"maxLength":4},
		"count":{"type":"integer","minimum":1,"maximum":9},
		"price":{"type":"number","minimum":0.5},
		"size":{"enum":["S","M",{"eu":42}]},
		"gift":{"type":["boolean","null"]},
		"lines":{"type":"array","minItems":1,"maxItems":2,"items":{"type":"object","properties":{"sku":{"type":"string"}},"required":["sku"]}},
		"free":{"type":"object"}
	},"required":["order"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		`{"order":"ab"}`:                             "",
		`{"order":"日本語字"}`:                           "",
		`{"order":"日本語字!"}`:                          "order has more than 4 characters",
		`{"order":"a"}`:                              "order has fewer than 2 characters",
		`{"order":7}`:                                "order is not of the type string",
		`{}`:                                         "order is missing",
		`7`:                                          "the whole is not of the type object",
		`{"order":"ab"`:                              "not JSON",
		`{"order":"ab"}{}`:                           "not JSON",
		`{"order":"ab","count":9}`:                   "",
		`{"order":"ab","count":9.0}`:                 "",
		`{"order":"ab","count":9.5}`:                 "count is not of the type integer",
		`{"order":"ab","count":10}`:                  "count is above 9",
		`{"order":"ab","count":0}`:                   "count is below 1",
		`{"order":"ab","count":1e999999}`:            "count is not of the type integer",
		`{"order":"ab","count":9e0}`:                 "",
		`{"order":"ab","price":0.5}`:                 "",
		`{"order":"ab","price":1e999999}`:            "price is no number that can be told",
		`{"order":"ab","price":0.49}`:                "price is below 0.5",
		`{"order":"ab","size":"M"}`:                  "",
		`{"order":"ab","size":{"eu":42}}`:            "",
		`{"order":"ab","size":"L"}`:                  `size is none of "S", "M", {"eu":42}`,
		`{"order":"ab","gift":null}`:                 "",
		`{"order":"ab","gift":"yes"}`:                "gift is not of the type boolean or null",
		`{"order":"ab","lines":[]}`:                  "lines has fewer than 1 items",
		`{"order":"ab","lines":[1,2,3]}`:             "lines has more than 2 items",
		`{"order":"ab","lines":[{}]}`:                "lines[0].sku is missing",
		`{"order":"ab","lines":[{"sku":"a","x":1}]}`: "lines[0].x is not among the properties",
		`{"order":"ab","free":{"any":[1]}}`:          "",
		`{"order":"ab","colour":"red"}`:              "colour is not among the properties",
	} {
		err := s.Check(json.RawMessage(value))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("Check(%s) = %v, want %q", value, err, want)
		}
	}
}

// FuzzCheck: nothing makes a check panic or take long.
func FuzzCheck(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"type":"number","minimum":1}}}`, `{"a":1e9}`)
	f.Fuzz(func(t *testing.T, text, value string) {
		if s, err := schema.Parse(json.RawMessage(text)); err == nil {
			_ = s.Check(json.RawMessage(value))
		}
	})
}

// TestChoicesWithMarkup: a choice is met however it and the value are escaped.
func TestChoicesWithMarkup(t *testing.T) {
	for _, choices := range []string{`["<b>other</b>"]`, `["\u003cb\u003eother\u003c/b\u003e"]`} {
		s := &schema.Schema{}
		if err := json.Unmarshal([]byte(`{"enum":`+choices+`}`), s); err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{`"<b>other</b>"`, `"\u003cb\u003eother\u003c\/b\u003e"`} {
			if err := s.Check(json.RawMessage(value)); err != nil {
				t.Errorf("%s in %s: %v", value, choices, err)
			}
		}
		if s.Check(json.RawMessage(`"other"`)) == nil {
			t.Errorf("another text is one of %s", choices)
		}
	}
}
