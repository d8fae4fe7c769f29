package opencxtest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// olderBase is what releases before 2.6.1 append to their apiUrl.
const olderBase = "/widget/v2"

// older is a page of the older API without a contact's token, under either base.
type older struct {
	*page
	base, consumer string
}

func (o older) call(method, path string, body any, header ...string) *answer {
	o.t.Helper()
	return o.page.call(method, o.base+path, body, append([]string{"X-Consumer-Id", o.consumer}, header...)...)
}

// older is the page of a release of the older API.
func (p *page) older(t *testing.T, base, consumer string) older {
	one := *p
	one.t = t
	return older{&one, base, consumer}
}

// begin makes a session as these releases do: without a body.
func (o older) begin() string {
	o.t.Helper()
	return into[session](o.call(http.MethodPost, "/create-session", nil).ok()).ID
}

// say sends a message as createChat does.
func (o older) say(id, text string, more object) sent {
	o.t.Helper()
	m := object{"uuid": uuid(), "content": text, "session_id": id, "bot_token": o.bot, "headers": object{}, "query_params": object{}, "user": object{}}
	for name, value := range more {
		if m[name] = value; value == nil {
			delete(m, name)
		}
	}
	return into[sent](o.call(http.MethodPost, "/chat/send", m).ok())
}

func (o older) history(id, since string) []row {
	o.t.Helper()
	return into[[]row](o.call(http.MethodGet, "/session/history/"+id+"?lastMessageTimestamp="+url.QueryEscape(since), nil).ok())
}

func texts(rows []row) (all []string) {
	for _, r := range rows {
		all = append(all, r.Sender.Kind+" "+r.Sender.Name+": "+*r.Content.Text)
	}
	return all
}

// testOlderAPI: pages of createConfig, createChat and ApiCaller need no contact's
// token; what they hold is the id of their session.
func testOlderAPI(t *testing.T, s *suite) {
	for _, base := range []string{olderBase, base} {
		p := s.project(t, nil)
		t.Run("anonymous, "+base, func(t *testing.T) {
			o := p.older(t, base, ":")
			if out := into[object](o.call(http.MethodGet, "/me", nil).ok()); out["contactId"] != "" {
				t.Errorf("me = %v", out)
			}
			if out := into[object](o.call(http.MethodGet, "/prelude", nil).ok()); out["organizationName"] != t.Name() && out["organizationName"] == "" {
				t.Errorf("prelude = %v", out)
			}
			id := o.begin()
			if got := into[session](o.call(http.MethodGet, "/session/"+id, nil).ok()); got.ID != id || got.Assignee.Kind != "ai" || got.IsVerified {
				t.Errorf("session = %+v", got)
			}
			if got := o.history(id, ""); len(got) != 0 {
				t.Errorf("history of a new session = %+v", got)
			}
			s.Model.Script("Anybody here?", []apitest.Step{{Text: "Yes."}})
			reply := o.say(id, "Anybody here?", nil).Reply
			if reply == nil || reply.Value.Content != "Yes." {
				t.Fatalf("reply = %+v", reply)
			}
			o.call(http.MethodPost, "/chat/vote", object{"action": "upvote", "sessionId": id, "messagePublicId": reply.ID}).ok()
			if got := texts(o.history(id, "")); !slices.Equal(got, []string{"user : Anybody here?", "ai Ada: Yes."}) {
				t.Errorf("history = %v", got)
			}
		})
		t.Run("a person answers, "+base, func(t *testing.T) {
			o := p.older(t, base, ":")
			id := o.begin()
			o.say(id, "A human, please", nil)
			operator, ola := p.operator()
			if _, err := s.Store.Reply(t.Context(), operator, ola, parley.ReplyRequest{ID: parley.EntryID(uuid()),
				Session: parley.SessionID(id), Content: "Ola here"}); err != nil {
				t.Fatal(err)
			}
			want := []string{"agent Ola: Ola here"}
			// The page names its own clock's time, which may be ahead.
			for _, since := range []time.Time{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)} {
				got := texts(o.history(id, since.UTC().Format("2006-01-02T15:04:05.000Z")))
				if len(got) == 0 || !slices.Equal(got[len(got)-1:], want) || strings.HasPrefix(got[0], "user") {
					t.Errorf("what is new = %q, want %q last, and nothing of the visitor's", got, want)
				}
			}
			if got := into[session](o.call(http.MethodGet, "/session/"+id, nil).ok()); got.Assignee.Kind != "human" || got.Assignee.Name != "Ola" || !got.IsHandedOff {
				t.Errorf("session = %+v", got)
			}
			for _, r := range o.history(id, "") {
				if r.Sender.Kind == "system" {
					t.Errorf("an event is told as %+v", r)
				}
			}
		})
		t.Run("messages without uuid, "+base, func(t *testing.T) {
			o := p.older(t, base, ":")
			id := o.begin()
			for range 2 {
				if out := o.say(id, "Once more", object{"uuid": nil}); !out.Success || out.Code != "" {
					t.Errorf("answer = %+v", out)
				}
			}
			rows := o.history(id, "")
			if len(rows) != 4 || rows[0].PublicID == rows[2].PublicID || rows[0].PublicID == "" {
				t.Errorf("history = %+v", rows)
			}
		})
		t.Run("files, "+base, func(t *testing.T) {
			o := p.older(t, base, ":")
			id, other := o.begin(), o.begin()
			for _, query := range []string{"?fileId=" + uuid(), "?fileId=" + uuid() + "&sessionId=", "?fileId=" + uuid() + "&sessionId=" + id} {
				given := o.upload(query).ok()
				url := into[struct{ FileURL string }](given).FileURL
				attached := object{"attachments": []file{{ID: uuid(), Name: "a.png", Size: 8, Type: "image/png", URL: url}}}
				if strings.HasSuffix(query, id) {
					if out := o.say(other, "Of another session", attached); out.Success {
						t.Errorf("a file of another session = %+v", out)
					}
				}
				if out := o.say(id, "See", attached); !out.Success {
					t.Errorf("%s: answer = %+v", query, out)
				}
				if out := o.say(other, "Again", attached); out.Success {
					t.Errorf("%s: the same file again = %+v", query, out)
				}
			}
		})
	}
	t.Run("what it says of its visitor", func(t *testing.T) {
		p := s.project(t, nil)
		o := p.older(t, olderBase, "email:ann@example.com")
		if out := into[object](o.call(http.MethodPost, "/me/create", object{"email": "ann@example.com", "name": "Ann"}).ok()); out["contactId"] == "" || out["contactName"] != "Ann" {
			t.Errorf("me/create = %v", out)
		}
		id := o.begin()
		operator, _ := p.operator()
		said := func() map[string]string {
			seen, err := s.Store.ReadSession(t.Context(), operator, parley.SessionID(id), parley.PageRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if seen.Contact != nil {
				t.Errorf("contact = %+v", seen.Contact)
			}
			return seen.About.Metadata
		}
		if got := said(); got["email"] != "ann@example.com" {
			t.Errorf("metadata = %v", got)
		}
		o.say(id, "Hi", object{"user": object{"name": "Ann", "customData": object{"plan": "pro", "nested": object{}}}})
		if got := said(); got["name"] != "Ann" || got["email"] != "ann@example.com" || got["plan"] != "pro" || len(got) != 3 {
			t.Errorf("metadata = %v", got)
		}
	})
	t.Run("nobody else's", func(t *testing.T) {
		p := s.project(t, nil)
		o := p.older(t, olderBase, ":")
		mine, theirs, verified := o.begin(), p.visitor("ann@example.com"), p.verified("ann@example.com")
		reply := o.say(mine, "Mine", nil).Reply.ID
		foreign := []string{theirs.begin(), verified.begin(), s.project(t, nil).older(t, olderBase, ":").begin(), uuid(), "", "guess"}
		before := s.standing(t)
		for _, stranger := range []older{o, p.older(t, olderBase, "email:ann@example.com")} {
			for _, id := range foreign {
				for _, a := range []*answer{
					stranger.call(http.MethodGet, "/session/"+id, nil), stranger.call(http.MethodGet, "/poll/"+id, nil),
					stranger.call(http.MethodGet, "/session/history/"+id, nil),
				} {
					a.fails(http.StatusNotFound)
				}
				if id == "" {
					continue
				}
				stranger.call(http.MethodPost, "/chat/send", o.message(id, "Let me in")).fails(http.StatusNotFound)
				stranger.call(http.MethodPost, "/chat/vote", object{"action": "upvote", "sessionId": id, "messagePublicId": reply}).fails(http.StatusNotFound)
			}
			stranger.call(http.MethodGet, "/sessions?filters=%7B%22external_id%22%3A%22x%22%7D", nil).fails(http.StatusUnauthorized)
		}
		for _, other := range []*page{theirs, verified} { // with a token the id is not enough
			other.get("/poll/" + mine).fails(http.StatusNotFound)
			other.post("/chat/send", other.message(mine, "Let me in")).fails(http.StatusNotFound)
		}
		o.call(http.MethodGet, "/poll/"+mine, nil, "Origin", "https://evil.example").refused(http.StatusForbidden)
		o.call(http.MethodGet, "/poll/"+mine, nil, "X-Bot-Token", "").fails(http.StatusUnauthorized)
		parleytest.Same(t, before, s.standing(t))
		closed := s.project(t, func(p *parley.Project) { p.TokenRequired = true })
		c := closed.older(t, olderBase, ":")
		before = s.standing(t)
		begun := into[session](c.call(http.MethodPost, "/create-session", nil).ok()).ID
		if got := into[sent](c.call(http.MethodPost, "/chat/send", c.message(begun, "Let me in")).ok()); got.Success || got.Error.Code != "identity_required" {
			t.Errorf("a message of nobody = %+v", got)
		}
		parleytest.Same(t, before, s.standing(t))
		c.upload("?fileId=" + uuid()).fails(http.StatusForbidden)
	})
	t.Run("a session of another channel", func(t *testing.T) {
		p := s.project(t, nil)
		o := p.older(t, olderBase, ":")
		mine := o.begin()
		named := func(id string, of parley.Channel) (parley.Caller, parley.SessionID, parley.SendRequest) {
			c := parley.Caller{Project: p.project, Visitor: s.Store.CapabilityVisitor(p.project, parley.SessionID(id)), Capability: true, Channel: of}
			return c, parley.SessionID(id), parley.SendRequest{ID: parley.EntryID(uuid()), Session: parley.SessionID(id), Channel: of, Content: "A secret"}
		}
		c, hissuno, message := named(uuid(), parley.ChannelHissuno)
		told, err := s.Store.Send(t.Context(), c, message)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Store.Session(t.Context(), c, hissuno); err != nil {
			t.Fatal(err)
		}
		before := s.standing(t)
		for _, path := range []string{"/session/", "/poll/", "/session/history/"} {
			o.call(http.MethodGet, path+string(hissuno), nil).fails(http.StatusNotFound)
		}
		o.call(http.MethodPost, "/chat/send", o.message(string(hissuno), "Let me in")).fails(http.StatusNotFound)
		o.call(http.MethodPost, "/chat/vote", object{"action": "upvote", "sessionId": hissuno, "messagePublicId": told.Message.ID}).fails(http.StatusNotFound)
		o.upload("?sessionId=" + string(hissuno)).fails(http.StatusNotFound)
		c, id, message := named(mine, parley.ChannelHissuno)
		if _, err := s.Store.Session(t.Context(), c, id); parley.Code(err) != "not_found" {
			t.Errorf("reading a session of this API as another's: %v", err)
		}
		if _, err := s.Store.Send(t.Context(), c, message); parley.Code(err) != "session_id_conflict" {
			t.Errorf("a message to it: %v", err)
		}
		parleytest.Same(t, before, s.standing(t))
	})
	t.Run("a file for a session that nobody has begun", func(t *testing.T) {
		o := s.project(t, nil).older(t, olderBase, ":")
		before := s.standing(t)
		o.upload("?sessionId=anything").fails(http.StatusNotFound)
		o.upload("?sessionId=" + uuid()).fails(http.StatusNotFound)
		parleytest.Same(t, before, s.standing(t))
	})
	t.Run("from one address", func(t *testing.T) {
		p := s.project(t, func(p *parley.Project) { p.Budgets.IdentifyPerHour, p.Budgets.UploadsPerHour = 2, 2 })
		o := p.older(t, olderBase, ":")
		for range 2 {
			o.begin()
			o.upload("?fileId=" + uuid()).ok()
		}
		o.call(http.MethodPost, "/create-session", nil).fails(http.StatusTooManyRequests)
		o.upload("?fileId=" + uuid()).fails(http.StatusTooManyRequests)
	})
	t.Run("O2 unknown addresses can be read", func(t *testing.T) {
		p := s.project(t, nil)
		for _, path := range []string{olderBase + "/nothing", base + "/nothing", "/widget/nothing", "/backend/nothing", "/backend/widget/v1/config"} {
			p.call(http.MethodGet, path, nil).fails(http.StatusNotFound)
		}
	})
}

func (o older) upload(query string) *answer {
	o.t.Helper()
	form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n" + png + "\r\n--b--\r\n"
	return o.call(http.MethodPost, "/upload"+query, form, "Content-Type", "multipart/form-data; boundary=b")
}
