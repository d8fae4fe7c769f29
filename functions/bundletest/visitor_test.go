package bundletest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/sse"
)

// patience bounds every request and every wait but the one for the sweep.
const patience = 40 * time.Second

// visitor is a browser with a token, in a project of its own.
type visitor struct {
	t          *testing.T
	project    parley.ProjectID
	urls       api.URLs
	key, token string
}

// visitor returns a new visitor of a new project.
func (s *stack) visitor(t *testing.T) *visitor {
	t.Helper()
	p := parley.Project{ID: parley.ProjectID(strings.ToLower(rand.Text())), Name: t.Name(), PublicKeys: []string{"pk_test_" + rand.Text()},
		Origins: []string{"https://shop.example"}, Agents: []parley.AgentSettings{{ID: "ada", Name: "Ada"}}}
	if err := s.store.PutProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, project: p.ID, urls: s.urls, key: p.PublicKeys[0]}
	var out struct{ Token string }
	v.into(v.do(http.MethodPost, v.urls.Identify+"/identify", object{}), &out)
	v.token = out.Token
	return v
}

// do sends a request that must be answered.
func (v *visitor) do(method, url string, body any, header ...string) *http.Response {
	v.t.Helper()
	response, err := v.request(method, url, body, header...)
	if err != nil {
		v.t.Fatal(err)
	}
	return response
}

// request sends a request; header is names and values by turns.
func (v *visitor) request(method, url string, body any, header ...string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	v.t.Cleanup(cancel)
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return nil, err
	}
	r.Header.Set(api.KeyHeader, v.key)
	r.Header.Set("Origin", "https://shop.example")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		v.t.Cleanup(func() { response.Body.Close() })
	}
	return response, err
}

// reading is what a reader of a run got.
type reading struct {
	text string
	end  event
	err  error
}

// resume reads a run in the background, after an event.
func (v *visitor) resume(session, run, last string) <-chan reading {
	done := make(chan reading, 1)
	go func() {
		response, err := v.request(http.MethodGet, v.urls.Chat+"/chat/"+session+"/runs/"+run, nil, "Last-Event-ID", last)
		switch {
		case err != nil:
			done <- reading{err: err}
		case response.StatusCode != http.StatusOK:
			done <- reading{err: errors.New(response.Status)}
		default:
			done <- read(sse.NewReader(response.Body))
		}
	}()
	return done
}

// whole is an answer to a message that is one JSON object.
type whole struct {
	Text string
	Run  string
	End  *event
	err  error
}

// sendWhole sends a message in the background.
func (v *visitor) sendWhole(m object) <-chan whole {
	done := make(chan whole, 1)
	go func() {
		var out whole
		response, err := v.request(http.MethodPost, v.urls.Chat+"/chat", m, "Accept", "application/json")
		if err == nil {
			err = decode(response, &out)
		}
		out.err = err
		done <- out
	}()
	return done
}

// into decodes an answer that must be a success.
func (v *visitor) into(response *http.Response, out any) {
	v.t.Helper()
	if err := decode(response, out); err != nil {
		v.t.Fatalf("%s: %v", response.Request.URL.Path, err)
	}
}

func decode(response *http.Response, out any) error {
	b, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, b)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

// send sends a message, or whatever else begins a stream.
func (v *visitor) send(m object) *stream {
	v.t.Helper()
	return v.stream(v.do(http.MethodPost, v.urls.Chat+"/chat", m))
}

func (v *visitor) stream(response *http.Response) *stream {
	v.t.Helper()
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != sse.ContentType {
		b, _ := io.ReadAll(response.Body) // it failed anyway
		v.t.Fatalf("%s = %d %s, want a stream", response.Request.URL.Path, response.StatusCode, b)
	}
	return &stream{v.t, response.Body, sse.NewReader(response.Body)}
}

// The shapes of answers, as far as tests look at them.
type (
	session struct {
		ID  string
		Seq int
		Run *struct{ ID string }
	}
	entry struct {
		Author struct{ Kind string }
		Text   string
		Status parley.RunStatus
	}
	transcript struct {
		Session session
		Entries []entry
	}
	// event is the data of any event of a run's stream.
	event struct {
		Session session          // accepted, end
		Delta   string           // text
		Status  parley.RunStatus // end
		Message *entry           // end
	}
)

func (v *visitor) transcript(id string) transcript {
	v.t.Helper()
	var out transcript
	v.into(v.do(http.MethodGet, v.urls.History+"/history/"+id, nil), &out)
	return out
}

// lines is a transcript as "author text status".
func (tr transcript) lines() []string {
	var all []string
	for _, e := range tr.Entries {
		all = append(all, strings.TrimSpace(e.Author.Kind+" "+e.Text+" "+string(e.Status)))
	}
	return all
}

// stream is the events of a run, as they come.
type stream struct {
	t    *testing.T
	body io.Closer
	r    *sse.Reader
}

// next returns the next event, which must have this name.
func (s *stream) next(name string) event {
	s.t.Helper()
	e, err := s.r.Next()
	var out event
	if err == nil {
		err = json.Unmarshal([]byte(e.Data), &out)
	}
	if err != nil || e.Name != name {
		s.t.Fatalf("event %q %s, %v; want %q", e.Name, e.Data, err, name)
	}
	return out
}

// rest reads up to the end of the stream.
func (s *stream) rest() (text string, end event) {
	s.t.Helper()
	got := read(s.r)
	if got.err != nil {
		s.t.Fatalf("stream breaks off after %q: %v", got.text, got.err)
	}
	return got.text, got.end
}

// read reads up to the end of a stream, which an event must announce.
func read(r *sse.Reader) (got reading) {
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) && got.end.Status != "" {
			return got
		}
		var data event
		if err == nil {
			err = json.Unmarshal([]byte(e.Data), &data)
		}
		if err != nil {
			got.err = err
			return got
		}
		got.text += data.Delta
		if e.Name == "end" {
			got.end = data
		}
	}
}

// breaks reads on, and wants the connection to break.
func (s *stream) breaks() {
	s.t.Helper()
	if e, err := s.r.Next(); err == nil || errors.Is(err, io.EOF) {
		s.t.Errorf("after its function was killed a stream says %q, %v", e.Data, err)
	}
}

// await polls until a condition holds.
func await(t *testing.T, atMost, pause time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(atMost)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("no %s within %v", what, atMost)
		case <-tick.C:
		}
	}
}
