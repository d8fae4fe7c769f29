package action

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"parley/shared/parley"
)

// requestBuilder collects the parts of a request.
type requestBuilder struct {
	call      parley.ActionRequest
	arguments map[string]json.RawMessage
	path      map[string]string
	query     url.Values
	header    http.Header
	body      map[string]json.RawMessage
}

// request builds the request of a call. The error is shown to the model, so it
// repeats no values.
func (x *Executor) request(ctx context.Context, r parley.ActionRequest) (*http.Request, error) {
	schema, err := r.Action.Schema()
	if err != nil {
		return nil, errors.New("the action's parameters are no schema")
	}
	if err := schema.Check(r.Arguments); err != nil {
		return nil, fmt.Errorf("the arguments do not fit: %w", err)
	}
	f := &requestBuilder{call: r, path: map[string]string{}, query: url.Values{}, header: http.Header{}, body: map[string]json.RawMessage{}}
	if err := json.Unmarshal(r.Arguments, &f.arguments); err != nil {
		return nil, errors.New("the arguments are no JSON object")
	}
	f.header.Set("Accept", "application/json")
	f.header.Set("User-Agent", "Parley")
	f.header.Set("Idempotency-Key", r.ID)
	if err := f.addArguments(); err != nil {
		return nil, err
	}
	for _, v := range r.Action.Values {
		if err := x.addValue(ctx, f, v); err != nil {
			return nil, err
		}
	}
	return f.finish(ctx)
}

// addArguments puts the model's arguments where they belong: placeholders of the
// path, the query, or the body.
func (f *requestBuilder) addArguments() error {
	inPath := parley.Placeholders(f.call.Action.URL)
	for _, name := range slices.Sorted(maps.Keys(f.arguments)) {
		value := f.arguments[name]
		text, plain := parley.Plain(value)
		switch {
		case slices.Contains(inPath, name) && !plain:
			return fmt.Errorf("%s has no place in a URL: it is neither a string nor a number", name)
		case slices.Contains(inPath, name):
			f.path[name] = text
		case !f.call.Action.HasBody() || slices.Contains(f.call.Action.Query, name):
			f.query[name] = inQuery(value)
		default:
			f.body[name] = value
		}
	}
	return nil
}

// inQuery returns a value as query parameters: a list as one for each item, an
// object as JSON, null as none.
func inQuery(value json.RawMessage) []string {
	var items []json.RawMessage
	if json.Unmarshal(value, &items) != nil {
		items = []json.RawMessage{value}
	}
	var texts []string
	for _, item := range items {
		text, plain := parley.Plain(item)
		switch {
		case plain:
			texts = append(texts, text)
		case string(item) != "null":
			texts = append(texts, string(item))
		}
	}
	return texts
}

// addValue puts a value that the project has declared into its place. The
// customer's server may override it, and the page too if the project has opened
// it to pages.
func (x *Executor) addValue(ctx context.Context, f *requestBuilder, v parley.ActionValue) error {
	if v.Secret != "" {
		text, err := x.secrets.get(ctx, f.call.Project, v.Secret)
		if err != nil {
			x.log.ErrorContext(ctx, "secret of an action", "project", f.call.Project, "secret", v.Secret, "error", err)
			return fmt.Errorf("the secret %s of this deployment could not be read", v.Secret)
		}
		f.header.Set(v.Name, text)
		return nil
	}
	value := v.Value
	if override, ok := f.call.Contact.Of(v); ok {
		value = override
	}
	if override, ok := f.call.Browser.Of(v); ok && v.Open {
		value = override
	}
	if value == nil {
		return nil
	}
	if problem := parley.CheckActionValue(v.In, value); problem != "" {
		return fmt.Errorf("the value %s %s", v.Name, problem)
	}
	text, _ := parley.Plain(value)
	switch v.In {
	case parley.InHeader:
		f.header.Set(v.Name, text)
	case parley.InQuery:
		f.query[v.Name] = []string{text}
	case parley.InPath:
		f.path[v.Name] = text
	case parley.InBody:
		f.body[v.Name] = value
	}
	return nil
}

// finish builds the request. It refuses a path with an empty segment or a dot
// segment, which would address another resource than the project meant.
func (f *requestBuilder) finish(ctx context.Context) (*http.Request, error) {
	action := f.call.Action
	for _, name := range parley.Placeholders(action.URL) {
		if text := f.path[name]; text == "" || text == "." || text == ".." {
			return nil, fmt.Errorf("%s is missing, or is no part of a path", name)
		}
	}
	u, err := url.Parse(parley.FillPath(action.URL, func(name string) string { return f.path[name] }))
	if err != nil {
		return nil, errors.New("the address is malformed")
	}
	query := u.Query()
	maps.Copy(query, f.query)
	u.RawQuery = query.Encode()
	var body io.Reader
	if action.HasBody() {
		f.header.Set("Content-Type", "application/json")
		body = bytes.NewReader(encode(f.body))
	}
	request, err := http.NewRequestWithContext(ctx, action.Verb(), u.String(), body)
	if err != nil {
		return nil, errors.New("the address is malformed")
	}
	request.Header = f.header
	return request, nil
}
