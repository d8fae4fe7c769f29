package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"parley/shared/parley"
	"parley/shared/sse"
)

// visitor is a client of the native API.
type visitor struct {
	t                *testing.T
	base, key, token string
}

func newVisitor(t *testing.T, base, key string) *visitor {
	t.Helper()
	return newNamedVisitor(t, base, key, "", "")
}

// newNamedVisitor is a visitor whose browser says a name and an address.
func newNamedVisitor(t *testing.T, base, key, name, email string) *visitor {
	t.Helper()
	v := &visitor{t: t, base: base, key: key}
	var got struct{ Token string }
	v.json("POST", "/identify", map[string]string{"name": name, "email": email}, &got)
	v.token = got.Token
	return v
}

// open makes a call and returns the answer, whatever its status.
func (v *visitor) open(method, path string, in any) *http.Response {
	v.t.Helper()
	response, err := v.try(method, path, in)
	if err != nil {
		v.t.Fatal(err)
	}
	return response
}

// try is open for a server that may be gone.
func (v *visitor) try(method, path string, in any) (*http.Response, error) {
	v.t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			v.t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Parley-Key", v.key)
	r.Header.Set("Content-Type", "application/json")
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	response, err := http.DefaultClient.Do(r)
	if err == nil {
		v.t.Cleanup(func() { response.Body.Close() })
	}
	return response, err
}

// json makes a call that must succeed.
func (v *visitor) json(method, path string, in, out any) {
	v.t.Helper()
	response := v.open(method, path, in)
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		v.t.Fatalf("%s %s = %d %s, %v", method, path, response.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		v.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}

// stream is a reply as it arrives.
type stream struct {
	t       *testing.T
	events  *sse.Reader
	session string // once accepted
	text    strings.Builder
	status  parley.RunStatus // once ended
}

func (v *visitor) send(message map[string]any) *stream {
	v.t.Helper()
	return v.follow(v.open("POST", "/chat", message))
}

// resume follows a run from its beginning.
func (v *visitor) resume(session, run string) *stream {
	v.t.Helper()
	return v.follow(v.open("GET", "/chat/"+session+"/runs/"+run, nil))
}

func (v *visitor) follow(response *http.Response) *stream {
	v.t.Helper()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		v.t.Fatalf("%s = %d %s", response.Request.URL, response.StatusCode, text)
	}
	return &stream{t: v.t, events: sse.NewReader(response.Body)}
}

// next takes one event; false at the end of the stream, however it came.
func (s *stream) next() bool {
	s.t.Helper()
	e, err := s.events.Next()
	if err != nil {
		return false
	}
	var data struct {
		Delta   string
		Status  parley.RunStatus
		Session struct{ ID string }
	}
	if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
		s.t.Fatalf("event %s: %v in %s", e.Name, err, e.Data)
	}
	switch e.Name {
	case "accepted":
		s.session = data.Session.ID
	case "text":
		s.text.WriteString(data.Delta)
	case "end":
		s.status = data.Status
	}
	return true
}

func (s *stream) untilText() {
	s.t.Helper()
	for s.text.Len() == 0 {
		if !s.next() {
			s.t.Fatal("the stream ended before any text")
		}
	}
}

func (s *stream) rest() *stream {
	s.t.Helper()
	for s.next() {
	}
	return s
}

// ask sends a message and returns the reply, which must be complete.
func (v *visitor) ask(id, content string) *stream {
	v.t.Helper()
	s := v.send(map[string]any{"messageId": id, "content": content}).rest()
	if s.status != parley.StatusDone || s.text.Len() == 0 {
		v.t.Fatalf("the reply to %q ended %q with %q", content, s.status, s.text.String())
	}
	return s
}

// history returns the ids of the visitor's sessions.
func (v *visitor) history() []string {
	v.t.Helper()
	var got struct{ Sessions []struct{ ID string } }
	v.json("GET", "/history", nil, &got)
	var ids []string
	for _, s := range got.Sessions {
		ids = append(ids, s.ID)
	}
	return ids
}

// entry is what a test looks at of an entry.
type entry struct {
	Type, Text string
	Author     struct{ Kind parley.AuthorKind }
	Status     parley.RunStatus
}

func (v *visitor) transcript(session string) []entry {
	v.t.Helper()
	var got struct{ Entries []entry }
	v.json("GET", "/history/"+session, nil, &got)
	return got.Entries
}
