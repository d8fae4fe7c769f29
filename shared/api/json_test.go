package api_test

import (
	"errors"
	"io"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"parley/shared/api"
	"parley/shared/parley"
)

// large has what takes many times its JSON.
type large struct {
	List []struct {
		A, B, C, D string
		E          []string
		F          map[string]string
	} `json:"list"`
	Pairs map[string]any `json:"pairs"`
	Deep  any            `json:"deep"`
}

// TestHostileBodies: whatever is in a body, reading it takes little.
func TestHostileBodies(t *testing.T) {
	const max = 512 << 10
	for name, body := range map[string]string{
		"empty objects":     `{"list":[` + strings.Repeat("{},", max/3-10) + `{}]}`,
		"objects in spaces": `{"list":[` + strings.Repeat("{} ,\n", max/5-10) + `{}]}`,
		"pairs":             `{"pairs":{` + strings.Repeat(`"":0,`, max/5-10) + `"a":0}}`,
		"lists in lists":    `{"deep":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`,
		"lists":             `{"deep":[` + strings.Repeat("[],", max/3-10) + `[]]}`,
		"after a string":    `{"other":"\\\"","list":[` + strings.Repeat("{},", max/3-20) + `{}]}`,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var in large
		err := api.DecodeUpTo(r, max, &in)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 4*max {
			t.Errorf("%s: %d bytes are allocated for %d, %v", name, got, len(body), err)
		}
	}
}

// TestBodyValues: a body has so many values, whatever its strings hold.
func TestBodyValues(t *testing.T) {
	list := func(n int) string { return `{"deep":[` + strings.Repeat("1,", n-1) + "1]}" } // with it and the object, n+2
	for name, test := range map[string]struct {
		body string
		code string
	}{
		"few":              {list(3), ""},
		"as many as may":   {list(api.MaxBodyValues - 2), ""},
		"one more":         {list(api.MaxBodyValues - 1), "too_large"},
		"text with commas": {`{"deep":"` + strings.Repeat(`\",[{`, api.MaxBodyValues) + `"}`, ""},
	} {
		var in large
		if err := api.DecodeAny(httptest.NewRequest("POST", "/", strings.NewReader(test.body)), &in); parley.Code(err) != test.code {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
	}
}

// unmeasured is a body of unknown length.
type unmeasured struct{ io.Reader }

// TestBodyLength: a body may be as long as is said, whether its length is known before or not.
func TestBodyLength(t *testing.T) {
	for length, code := range map[int]string{100: "", 101: "too_large"} {
		text := `{"deep":"` + strings.Repeat("x", length-11) + `"}`
		for _, body := range []io.Reader{strings.NewReader(text), unmeasured{strings.NewReader(text)}} {
			var in large
			err := api.DecodeUpTo(httptest.NewRequest("POST", "/", body), 100, &in)
			if parley.Code(err) != code || err == nil && len(in.Deep.(string)) != length-11 {
				t.Errorf("%T of %d bytes: %v, want %q", body, length, err, code)
			}
		}
	}
	var in large
	err := api.DecodeAny(httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(`{"deep":`), failing{})), &in)
	if parley.Code(err) != "invalid_json" {
		t.Errorf("a body that ends early: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the client has left") }
