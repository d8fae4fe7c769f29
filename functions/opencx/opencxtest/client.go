package opencxtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
)

// patience bounds every request and wait of a test.
const patience = time.Minute

const (
	base   = "/backend/widget/v2"
	origin = "https://shop.example"
)

// page is a page with the widget: a bot token, and a contact's once it has one.
type page struct {
	*suite
	t        testing.TB
	project  parley.ProjectID
	bot      string
	token    string
	external string
}

type object = map[string]any

// project stores a project of its own for a test, and returns a page without a contact.
func (s *suite) project(t testing.TB, change func(*parley.Project)) *page {
	t.Helper()
	p := parley.Project{ID: parley.ProjectID(strings.ToLower(rand.Text())), Name: t.Name(), PublicKeys: []string{"pk_test_" + rand.Text()},
		Origins: []string{origin}, Agents: []parley.AgentSettings{{ID: "ada", Name: "Ada", Picture: "https://shop.example/ada.png"}},
		Budgets: parley.Budgets{MessagesPerMinute: 600000}}
	if change != nil {
		change(&p)
	}
	s.own[p.ID] = true
	if err := s.Store.PutProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return &page{suite: s, t: t, project: p.ID, bot: p.PublicKeys[0]}
}

// uuid returns a UUID as clients make them: of version 4.
func uuid() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// visitor returns a page of the same project with an unverified contact, which
// has this e-mail unless it is "".
func (p *page) visitor(email string) *page {
	p.t.Helper()
	other := *p
	other.token, other.external = "", uuid()
	body := object{"non_verified_custom_data": object{}}
	if email != "" {
		body = object{"email": email, "non_verified_name": "Ann"}
	}
	other.token = into[struct{ Token string }](other.post("/contact/create-unverified", body).ok()).Token
	return &other
}

// key makes a private key of the project.
func (p *page) key(scopes ...parley.Scope) string {
	p.t.Helper()
	_, secret, err := p.Store.AddPrivateKey(p.t.Context(), p.project, parley.PrivateKey{Name: rand.Text(), Scopes: scopes})
	if err != nil {
		p.t.Fatal(err)
	}
	return secret
}

// authenticate asks for a contact's token as the customer's server does: from no page.
func (p *page) authenticate(authorization string, body any, header ...string) *answer {
	p.t.Helper()
	return p.call(http.MethodPost, "/widget/authenticate-user", body,
		append([]string{"Authorization", authorization, "X-Bot-Token", "", "Origin", ""}, header...)...)
}

// verified returns a page of the same project whose customer vouched for somebody.
func (p *page) verified(email string) *page {
	p.t.Helper()
	other := *p
	other.external = ""
	out := into[struct {
		Token   string
		Contact struct{ ID string }
	}](p.authenticate("Bearer "+p.key(parley.ScopeReply), object{"email": email, "name": "Ann"}).ok())
	if other.token = out.Token; other.token == "" || out.Contact.ID == "" {
		p.t.Fatalf("authenticate-user = %+v", out)
	}
	return &other
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
	// origin is that of the request, "" if it came from no page.
	origin string
}

// request makes a request as the widget does; header is names and values by
// turns, and "" takes one away.
func (p *page) request(ctx context.Context, method, path string, body any, header ...string) *http.Request {
	p.t.Helper()
	var content io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(v)
	case []byte:
		content = bytes.NewReader(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			p.t.Fatal(err)
		}
		content = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, p.URL+path, content)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, h := range [][2]string{{"Origin", origin}, {"Content-Type", "application/json"}, {"Accept", "application/json"}, {"X-Bot-Token", p.bot}} {
		r.Header.Set(h[0], h[1])
	}
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Del(header[i])
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	return r
}

func (p *page) call(method, path string, body any, header ...string) *answer {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	request := p.request(ctx, method, path, body, header...)
	response, err := client.Do(request)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return &answer{p.t, response.StatusCode, response.Header, string(b), request.Header.Get("Origin")}
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (p *page) get(path string) *answer { p.t.Helper(); return p.call(http.MethodGet, base+path, nil) }

func (p *page) post(path string, body any) *answer {
	p.t.Helper()
	return p.call(http.MethodPost, base+path, body)
}

// ok wants a success that clients take for one.
func (a *answer) ok() *answer {
	a.t.Helper()
	if a.status < 200 || a.status > 299 || a.status == http.StatusNoContent || !json.Valid([]byte(a.body)) {
		a.t.Fatalf("answer = %d %.300s, want a success with JSON", a.status, a.body)
	}
	return a
}

// fails wants an error that whoever asked may read.
func (a *answer) fails(status int) string {
	a.t.Helper()
	var e struct {
		StatusCode     int
		Message, Error string
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.status != status || e.StatusCode != status || e.Message == "" || e.Error == "" ||
		a.header.Get("Access-Control-Allow-Origin") != a.origin {
		a.t.Errorf("answer = %d %v %.300s, want an ErrorDto of %d", a.status, a.header, a.body, status)
	}
	return e.Error
}

// refused wants a status, for pages that may not even read why.
func (a *answer) refused(status int) {
	a.t.Helper()
	if a.status != status {
		a.t.Errorf("answer = %d %.300s, want %d", a.status, a.body, status)
	}
}

func into[T any](a *answer) T {
	a.t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("%.300s: %v", a.body, err)
	}
	return v
}

// The shapes of answers.
type (
	session struct {
		ID          string
		Ticket      parley.SessionNumber `json:"ticketNumber"`
		CreatedAt   time.Time
		UpdatedAt   time.Time
		IsOpened    bool
		IsHandedOff bool
		IsVerified  bool
		Assignee    struct{ Kind, Name string }
		Title       *string
		LastMessage *string
		ModeID      *string
		Checkpoint  json.RawMessage `json:"latestStateCheckpointPayload"`
	}
	file struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Size int64  `json:"size"`
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	row struct {
		PublicID    string
		Type        string
		Content     *struct{ Text *string }
		Sender      *struct{ Kind, Name string }
		SentAt      time.Time
		Calls       []actionCall `json:"actionCalls"`
		Attachments []file
		System      *struct {
			Type    string
			Payload json.RawMessage
		} `json:"systemMessagePayload"`
	}
	polled struct {
		Session session
		History []row
	}
	sent struct {
		Success bool
		Code    string
		Error   struct{ Code, Message string }
		Reply   *struct {
			ID    string
			Value struct {
				Error   bool
				Content string
			}
			Solves bool `json:"mightSolveUserIssue"`
			Mode   *struct{ ID, Name, Slug string }
			Exited bool `json:"didExitMode"`
		} `json:"autopilotResponse"`
		UI *struct {
			Type  string
			Value struct {
				Type, Name string
				Response   json.RawMessage `json:"request_response"`
			}
		} `json:"uiResponse"`
		Form    *formAction `json:"formSubmission"`
		Session session
	}
	actionCall struct {
		ActionName string
		Args       json.RawMessage
		Result     json.RawMessage
		Action     formAction
	}
	formAction struct {
		Name, ID string
		Metadata struct {
			Parameters json.RawMessage
			Submitted  bool
		}
		RequiredForm bool `json:"required_form_submission"`
	}
	list struct {
		Items []session
		Next  *string
	}
)

// begin makes a session as the widget does.
func (p *page) begin() string {
	p.t.Helper()
	data := object{}
	if p.external != "" {
		data["external_id"] = p.external
	}
	return into[session](p.post("/create-session", object{"customData": data}).ok()).ID
}

// message is the body of a message as the widget sends it.
func (p *page) message(session, text string) object {
	return object{"uuid": uuid(), "content": text, "session_id": session, "bot_token": p.bot, "attachments": []any{},
		"custom_data": object{}, "headers": nil, "query_params": nil, "body_properties": nil, "clientContext": nil}
}

func (p *page) send(m object) sent {
	p.t.Helper()
	return into[sent](p.post("/chat/send", m).ok())
}

// say sends a text and wants it to be taken.
func (p *page) say(session, text string) sent {
	p.t.Helper()
	out := p.send(p.message(session, text))
	if !out.Success {
		p.t.Fatalf("%q was not taken: %+v", text, out)
	}
	return out
}

func (p *page) poll(session string) polled {
	p.t.Helper()
	return into[polled](p.get("/poll/" + session).ok())
}

func (p *page) sessions(filters string, more ...string) list {
	p.t.Helper()
	query := url.Values{"filters": {filters}}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return into[list](p.get("/sessions?" + query.Encode()).ok())
}

// mine is the filter that the widget sends.
func (p *page) mine() string {
	if p.external == "" {
		return "{}"
	}
	return fmt.Sprintf(`{"external_id":%q}`, p.external)
}

func ids(l list) (all []string) {
	for _, s := range l.Items {
		all = append(all, s.ID)
	}
	return all
}

// lines are rows as "kind text", or the type of a system's payload.
func (h polled) lines() (all []string) {
	for _, r := range h.History {
		text := "system " + r.System.Type
		if r.Sender.Kind != "system" {
			text = r.Sender.Kind + " " + *r.Content.Text
		}
		all = append(all, text)
	}
	return all
}

// kept are the rows that the client keeps.
func (h polled) kept() (all []row) {
	for _, r := range h.History {
		if r.Sender.Kind != "system" || r.System.Type != "none" {
			all = append(all, r)
		}
	}
	return all
}

// upload sends a file as the widget does.
func (p *page) upload(path, name, mediaType string, data []byte) *answer {
	p.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename="%s"`, strings.ReplaceAll(name, `"`, "%22"))}}
	if mediaType != "" {
		h.Set("Content-Type", mediaType)
	}
	part, err := form.CreatePart(h)
	if err != nil {
		p.t.Fatal(err)
	}
	part.Write(data)
	form.Close()
	return p.call(http.MethodPost, base+path, body.Bytes(), "Content-Type", form.FormDataContentType(), "Accept", "*/*")
}

// await polls until a condition holds.
func (p *page) await(what string, holds func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			p.t.Fatalf("waited for %s in vain", what)
		}
		select {
		case <-p.t.Context().Done():
			p.t.Fatal(p.t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// operator is a person of the project.
func (p *page) operator() (parley.Caller, parley.Author) {
	p.t.Helper()
	o := parley.Operator{ID: "ola", Name: "Ola", Picture: "https://shop.example/ola.png"}
	if err := p.Store.PutOperator(p.t.Context(), p.project, o); err != nil {
		p.t.Fatal(err)
	}
	return parley.Caller{Project: p.project, Operator: o.ID}, o.Author()
}

func same(a, b []string) bool { return slices.Equal(a, b) }
