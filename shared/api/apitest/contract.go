package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	gopath "path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"parley/shared/api"
	"parley/shared/sse"
)

// contract is the OpenAPI document, and what of it has been seen.
type contract struct {
	doc      object
	compiler *jsonschema.Compiler

	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema
	seen    map[string]bool // "operationId 200" and codes
}

// object is a part of the document.
type object = map[string]any

const documentURL = "parley:openapi"

// newContract reads the document, and makes its answers strict: an answer may
// gain fields tomorrow, but today the document names them all.
func newContract(t testing.TB) *contract {
	t.Helper()
	var raw any
	if err := yaml.Unmarshal([]byte(api.OpenAPI), &raw); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []string{"paths", "components"} {
		forbidUnknown(doc.(object)[answer])
	}
	c := &contract{doc: doc.(object), compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource(documentURL, doc); err != nil {
		t.Fatal(err)
	}
	return c
}

// requests are what clients send: there anything may stand beside.
var requests = []string{"requestBody", "Send", "Close"}

func forbidUnknown(v any) {
	switch v := v.(type) {
	case object:
		_, named := v["properties"]
		_, open := v["additionalProperties"]
		if v["type"] == "object" && named && !open {
			v["additionalProperties"] = false
		}
		for name, part := range v {
			if !slices.Contains(requests, name) {
				forbidUnknown(part)
			}
		}
	case []any:
		for _, part := range v {
			forbidUnknown(part)
		}
	}
}

// at follows a JSON pointer, and references on its way; it returns where it ended.
func (c *contract) at(pointer string) (object, string) {
	var v any = c.doc
	where := "#"
	for _, token := range strings.Split(pointer, "/")[1:] {
		o, ok := v.(object)
		if !ok {
			return nil, where
		}
		v, where = o[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)], where+"/"+token
		if o, ok := v.(object); ok {
			if ref, ok := o["$ref"].(string); ok {
				v, where = c.at(ref)
			}
		}
	}
	o, _ := v.(object)
	return o, where
}

// operation finds the call that a request is.
func (c *contract) operation(method, path string) (pointer string, ok bool) {
	for template, item := range c.doc["paths"].(object) {
		if _, has := item.(object)[strings.ToLower(method)]; has && matches(template, path) {
			return "#/paths/" + strings.ReplaceAll(template, "/", "~1") + "/" + strings.ToLower(method), true
		}
	}
	return "", false
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && (!strings.HasPrefix(want[i], "{") || got[i] == "") {
			return false
		}
	}
	return true
}

// valid checks a JSON text against the schema at a pointer.
func (c *contract) valid(t testing.TB, pointer, text string) {
	t.Helper()
	c.mu.Lock()
	schema, err := c.schemas[pointer], error(nil)
	if schema == nil {
		schema, err = c.compiler.Compile(documentURL + pointer)
		c.schemas[pointer] = schema
	}
	c.mu.Unlock()
	if err != nil {
		t.Fatalf("schema %s: %v", pointer, err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Errorf("%s is not JSON: %v", text, err)
		return
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s is not what the document says: %v", text, err)
	}
}

// request checks the body of a request that was taken.
func (c *contract) request(t testing.TB, operation, body string) {
	t.Helper()
	if schema, where := c.at(operation + "/requestBody/content/application~1json/schema"); schema != nil && body != "" {
		c.valid(t, where, body)
	}
}

// response checks an answer but for the events of a stream.
func (c *contract) response(t testing.TB, method, path string, status int, h http.Header, body string) {
	t.Helper()
	if h.Get(api.RequestIDHeader) == "" || h.Get("Vary") != "Origin" {
		t.Errorf("%s %s: request id %q, Vary %q", method, path, h.Get(api.RequestIDHeader), h.Get("Vary"))
	}
	operation, ok := c.operation(method, gopath.Clean(path))
	if !ok {
		c.problem(t, nil, h, body, status)
		return
	}
	described, where := c.at(operation + "/responses/" + strconv.Itoa(status))
	if described == nil {
		t.Errorf("%s %s: status %d is not in the document: %s", method, path, status, body)
		return
	}
	op, _ := c.at(operation)
	c.saw(fmt.Sprintf("%s %d", op["operationId"], status))
	c.headers(t, described, h)
	if status >= 400 {
		codes, _ := described["x-codes"].([]any)
		c.problem(t, codes, h, body, status)
		return
	}
	mediaType, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	content, _ := described["content"].(object)
	if content == nil {
		return
	}
	if _, ok := content[mediaType]; !ok {
		t.Errorf("%s %s: media type %q is not in the document", method, path, mediaType)
		return
	}
	c.saw(fmt.Sprintf("%s %s", op["operationId"], mediaType))
	if mediaType == "application/json" {
		_, schema := c.at(where + "/content/application~1json/schema")
		c.valid(t, schema, body)
	}
}

func (c *contract) headers(t testing.TB, described object, h http.Header) {
	t.Helper()
	headers, _ := described["headers"].(object)
	for name, d := range headers {
		if ref, ok := d.(object)["$ref"].(string); ok {
			d, _ = c.at(ref)
		}
		d := d.(object)
		want, pinned := d["schema"].(object)["const"].(string)
		if got := h.Get(name); d["required"] == true && got == "" || pinned && got != want {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
}

// problem checks a problem document; codes nil means any.
func (c *contract) problem(t testing.TB, codes []any, h http.Header, body string, status int) {
	t.Helper()
	c.valid(t, "#/components/schemas/Problem", body)
	var p api.Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("problem %s: %v", body, err)
	}
	c.saw(p.Code)
	retry := ""
	if p.RetryAfter > 0 {
		retry = strconv.Itoa(p.RetryAfter)
	}
	if got := h.Get("Content-Type"); got != "application/problem+json" || p.Status != status || h.Get("Retry-After") != retry || h.Get("Cache-Control") != "no-store" {
		t.Errorf("problem %s as %q with status %d, Retry-After %q, Cache-Control %q",
			body, got, status, h.Get("Retry-After"), h.Get("Cache-Control"))
	}
	if codes != nil && !slices.Contains(codes, any(p.Code)) {
		t.Errorf("code %s is not one that the document has for this call", p.Code)
	}
}

// event checks an event of the stream that a call answers with.
func (c *contract) event(t testing.TB, method, path string, e sse.Event) {
	t.Helper()
	operation, _ := c.operation(method, path)
	events := operation + "/responses/200/content/text~1event-stream/x-events/"
	schema, where := c.at(events + e.Name)
	if schema == nil || e.ID == "" {
		t.Errorf("%s %s: event %q with id %q is not in the document", method, path, e.Name, e.ID)
		return
	}
	op, _ := c.at(operation)
	c.saw(fmt.Sprintf("%s %s", op["operationId"], e.Name))
	c.valid(t, where, e.Data)
}

func (c *contract) saw(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[what] = true
}

// unseen are codes that a test over HTTP cannot cause.
var unseen = []string{
	"internal", "unavailable", // nothing fails here
	"upload_changed",    // a race of microseconds
	"hook_busy",         // while an endpoint is being asked
	"challenge_expired", // minutes later; see shared/parley
}

// complete checks that every success, every event and every code of the
// document has been seen.
func (c *contract) complete(t *testing.T) {
	var missing []string
	want := func(what string) {
		if !c.seen[what] {
			missing = append(missing, what)
		}
	}
	for _, item := range c.doc["paths"].(object) {
		for method, op := range item.(object) {
			if method == "parameters" {
				continue
			}
			id := op.(object)["operationId"].(string)
			for status, described := range op.(object)["responses"].(object) {
				if status >= "400" {
					continue
				}
				want(id + " " + status)
				content, _ := described.(object)["content"].(object)
				for mediaType, d := range content {
					want(id + " " + mediaType)
					events, _ := d.(object)["x-events"].(object)
					for name := range events {
						want(id + " " + name)
					}
				}
			}
		}
	}
	codes, _ := c.at("#/components/schemas/Code")
	for _, code := range codes["enum"].([]any) {
		if !slices.Contains(unseen, code.(string)) {
			want(code.(string))
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("never seen: %s", strings.Join(missing, ", "))
	}
}
