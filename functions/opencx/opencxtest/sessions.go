package opencxtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/shared/api/apitest"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

func testSessions(t *testing.T, s *suite) {
	p := s.project(t, nil)
	t.Run("O14 create-session", func(t *testing.T) {
		v := p.verified("ann@example.com")
		for _, body := range []any{object{}, "null", ""} {
			out := into[map[string]any](v.post("/create-session", body).ok())
			for _, key := range []string{"id", "ticketNumber", "title", "createdAt", "updatedAt", "isHandedOff", "isOpened", "assignee", "channel",
				"isVerified", "lastMessage", "modeId", "latestStateCheckpointPayload", "sessionAttributes"} {
				if _, has := out[key]; !has {
					t.Errorf("create-session of %v has no %s", body, key)
				}
			}
			if out["isOpened"] != true || out["modeId"] != nil || out["isVerified"] != true {
				t.Errorf("create-session of %v = %v", body, out)
			}
		}
	})
	t.Run("O15 without an external id", func(t *testing.T) {
		v := p.visitor("")
		v.post("/create-session", object{}).fails(http.StatusForbidden)
		v.get("/sessions?filters=%7B%7D").fails(http.StatusForbidden)
	})
	t.Run("O16 devices are apart", func(t *testing.T) {
		one, two := p.visitor("dev@example.com"), p.visitor("dev@example.com")
		a, b := one.begin(), two.begin()
		if x, y := ids(one.sessions(one.mine())), ids(two.sessions(two.mine())); !same(x, []string{a}) || !same(y, []string{b}) {
			t.Errorf("lists = %v, %v, want %s, %s", x, y, a, b)
		}
	})
	t.Run("O16 an e-mail and a customer number can be typed", func(t *testing.T) {
		const number = "customer-42"
		one, stranger, shop := p.visitor("typed@example.com"), p.visitor("typed@example.com"), p.verified("typed@example.com")
		for _, who := range []*page{one, stranger, shop} {
			who.external = number
		}
		one.say(one.begin(), "My secret")
		mine := shop.begin()
		for _, filter := range []string{stranger.mine(), fmt.Sprintf(`{"external_id":%q,"plan":"pro"}`, number)} {
			if got := stranger.sessions(filter); len(got.Items) != 0 || got.Next != nil {
				t.Errorf("a stranger lists %+v", got)
			}
		}
		if got := ids(shop.sessions(shop.mine())); !same(got, []string{mine}) {
			t.Errorf("who is vouched for lists %v, want %s", got, mine)
		}
		anonymous := p.visitor("")
		anonymous.external = number
		if id := anonymous.begin(); !same(ids(anonymous.sessions(anonymous.mine())), []string{id}) {
			t.Errorf("an anonymous browser lists %v, want %s", ids(anonymous.sessions(anonymous.mine())), id)
		}
	})
	t.Run("O17 a verified contact's sessions", func(t *testing.T) {
		v := p.verified("carl@example.com")
		one, two := *v, *p.verified("carl@example.com")
		one.external, two.external = "x", "y"
		a, b, c := one.begin(), two.begin(), v.begin()
		if got := ids(v.sessions("{}")); len(got) != 3 || !slices.Contains(got, a) || !slices.Contains(got, b) || !slices.Contains(got, c) {
			t.Errorf("all = %v", got)
		}
		if got := ids(v.sessions(`{"external_id":"x"}`)); !same(got, []string{a}) {
			t.Errorf("of x = %v, want %s", got, a)
		}
	})
	t.Run("O18 filters", func(t *testing.T) {
		v := p.verified("dora@example.com")
		for _, wrong := range []string{"", "x", "[]", "null", `"a"`, `{"a":[]}`} {
			v.call(http.MethodGet, base+"/sessions?filters="+wrong, nil).fails(http.StatusBadRequest)
		}
		id := into[session](v.post("/create-session", object{"customData": object{"seats": 3, "trial": true, "plan": "pro"}}).ok()).ID
		v.begin()
		for _, filter := range []string{`{"seats":"3"}`, `{"trial":"true"}`, `{"plan":"pro","seats":"3"}`} {
			if got := ids(v.sessions(filter)); !same(got, []string{id}) {
				t.Errorf("%s = %v, want %s", filter, got, id)
			}
		}
		if got := ids(v.sessions(`{"seats":"4"}`)); len(got) != 0 {
			t.Errorf("nobody's = %v", got)
		}
	})
	t.Run("numbers and times of a session", func(t *testing.T) {
		v := p.visitor("")
		begun := into[session](v.post("/create-session", object{"customData": object{"external_id": v.external}}).ok())
		said := v.say(begun.ID, "Hello").Session
		polled := v.poll(begun.ID).Session
		if begun.UpdatedAt.Before(begun.CreatedAt) || polled.UpdatedAt.Before(begun.UpdatedAt) || !polled.CreatedAt.Equal(begun.CreatedAt) {
			t.Errorf("times of a new session %v, %v; later %v, %v", begun.CreatedAt, begun.UpdatedAt, polled.CreatedAt, polled.UpdatedAt)
		}
		operator, _ := p.operator()
		if said.Ticket != begun.Ticket || polled.Ticket != begun.Ticket {
			t.Errorf("numbers %d, %d, %d", begun.Ticket, said.Ticket, polled.Ticket)
		}
		v.await("the session by its number", func() bool {
			found, err := s.Store.ByNumber(t.Context(), operator, begun.Ticket)
			return err == nil && len(found) == 1 && string(found[0].Session.ID) == begun.ID
		})
	})
	t.Run("a session is called after its first message", func(t *testing.T) {
		v := p.visitor("eve@example.com")
		id := v.begin()
		v.send(v.message(id, "Where is <b>my</b> order?"))
		got := v.sessions(v.mine()).Items
		if len(got) != 1 || got[0].ID != id || got[0].Title == nil || !strings.HasPrefix(*got[0].Title, "Where is") || strings.Contains(*got[0].Title, "<b>") {
			t.Errorf("sessions = %+v, want one called after the message, without HTML", got)
		}
	})
	t.Run("custom data is for people", func(t *testing.T) {
		v := *p
		v.external = uuid()
		custom := object{"plan": "x", "n": 3}
		v.token = into[struct{ Token string }](v.post("/contact/create-unverified",
			object{"non_verified_name": "Bobolink", "non_verified_custom_data": custom}).ok()).Token
		id := into[session](v.post("/create-session", object{"customData": object{"external_id": v.external, "cart": "cart-of-mine"}}).ok()).ID
		s.Model.Script("What is known of me?", []apitest.Step{{Text: "Little."}})
		m := v.message(id, "What is known of me?")
		m["custom_data"] = object{"coupon": "coupon-of-mine"}
		v.send(m)
		operator, _ := p.operator()
		seen, err := s.Store.ReadSession(t.Context(), operator, parley.SessionID(id), parley.PageRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if got := seen.Visitor; got == nil || got.Name != "Bobolink" || !maps.Equal(got.Metadata, map[string]string{"plan": "x", "n": "3"}) {
			t.Errorf("of the visitor a person sees %+v", got)
		}
		if seen.About.Metadata["cart"] != "cart-of-mine" || !strings.Contains(string(seen.Entries[0].Data), "coupon-of-mine") {
			t.Errorf("of the session a person sees %+v, of the message %s", seen.About, seen.Entries[0].Data)
		}
		told := s.Model.Heard("What is known of me?").System
		for _, secret := range []string{v.external, "cart-of-mine", "coupon-of-mine", "Bobolink"} {
			if strings.Contains(told, secret) {
				t.Errorf("the agent was told %q in %q", secret, told)
			}
		}
	})
	t.Run("more custom data than is kept", func(t *testing.T) {
		v, long, many := *p, strings.Repeat("ü", parley.MaxMetadataBytes), object{}
		v.external = uuid()
		for i := range parley.MaxMetadata + 10 {
			many[fmt.Sprintf("k%02d", i)] = i
		}
		for _, data := range []object{many, {"page": long}} {
			v.token = into[struct{ Token string }](v.post("/contact/create-unverified", object{"non_verified_custom_data": data}).ok()).Token
		}
		many["external_id"], many["page"], many[long] = v.external, long, "x"
		id := into[session](v.post("/create-session", object{"customData": many}).ok()).ID
		filter, err := json.Marshal(object{"external_id": v.external, "k00": 0})
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(v.sessions(string(filter))); !same(got, []string{id}) {
			t.Errorf("list = %v, want %s", got, id)
		}
		paged := into[session](v.post("/create-session", object{"customData": object{"external_id": v.external, "page": long}}).ok()).ID
		if filter, err = json.Marshal(object{"external_id": v.external, "page": long}); err != nil {
			t.Fatal(err)
		}
		if got := ids(v.sessions(string(filter))); !same(got, []string{paged}) {
			t.Errorf("list by a long value = %v, want %s", got, paged)
		}
		v.post("/create-session", object{"customData": object{"external_id": long}}).fails(http.StatusRequestEntityTooLarge)
	})
	t.Run("O21 another's session", func(t *testing.T) {
		id, stranger := p.visitor("").begin(), p.visitor("")
		for _, path := range []string{"/poll/", "/session/history/", "/session/"} {
			foreign, unknown := stranger.get(path+id), stranger.get(path+uuid())
			foreign.fails(http.StatusNotFound)
			if foreign.status != unknown.status || foreign.body != unknown.body {
				t.Errorf("%s: foreign %s, unknown %s", path, foreign.body, unknown.body)
			}
		}
	})
	t.Run("O22 a poll of an empty session", func(t *testing.T) {
		v := p.visitor("")
		if got := v.get("/poll/" + v.begin()).ok(); !json.Valid([]byte(got.body)) || into[polled](got).History == nil || len(into[polled](got).History) != 0 {
			t.Errorf("poll = %s", got.body)
		}
	})
	t.Run("O23 reading changes nothing", func(t *testing.T) {
		v := p.visitor("")
		id := v.begin()
		v.say(id, "Hello")
		stable := func(what string) {
			t.Helper()
			before := s.standing(t)
			a, b := into[map[string]any](v.get("/poll/"+id).ok()), into[map[string]any](v.get("/poll/"+id).ok())
			if !reflect.DeepEqual(a, b) {
				t.Errorf("two polls of %s differ: %v, %v", what, a, b)
			}
			parleytest.Same(t, before, s.standing(t))
		}
		stable("an open session")
		if err := s.Store.Close(t.Context(), v.who(), parley.SessionID(id)); err != nil {
			t.Fatal(err)
		}
		stable("a session whose close can be undone")
		if !v.poll(id).Session.IsOpened {
			t.Error("a session whose close can be undone is shown as closed")
		}
		v.post("/session/resolve", object{"session_id": id}).ok()
		stable("a resolved session")
	})
}

// who is the caller that the page's token stands for.
func (p *page) who() parley.Caller {
	p.t.Helper()
	c, err := p.keys.ReadContact(&parley.Project{ID: p.project}, p.token)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func testPaging(t *testing.T, s *suite) {
	v := s.project(t, nil).verified("ann@example.com")
	var all []string
	for range 45 {
		all = append(all, v.begin())
	}
	v.say(all[3], "Newest")
	for _, name := range []string{"cursor", "offset"} {
		t.Run("O19 paging by "+name, func(t *testing.T) {
			l := v.sessions("{}")
			got := l.Items
			for l.Next != nil {
				l = v.sessions("{}", name, *l.Next)
				got = append(got, l.Items...)
			}
			seen := ids(list{Items: got})
			slices.Sort(seen)
			if want := slices.Sorted(slices.Values(all)); !same(seen, want) {
				t.Errorf("pages have %v, want %v", seen, want)
			}
			newerFirst := func(a, b session) int { return b.UpdatedAt.Compare(a.UpdatedAt) }
			if !slices.IsSortedFunc(got, newerFirst) {
				t.Errorf("pages = %+v", got)
			}
			var last map[string]json.RawMessage = into[map[string]json.RawMessage](v.get("/sessions?filters=%7B%22external_id%22%3A%22none%22%7D").ok())
			if string(last["next"]) != "null" || string(last["items"]) != "[]" {
				t.Errorf("empty page = %s", fmt.Sprint(last))
			}
		})
	}
	t.Run("O20 newest activity first", func(t *testing.T) {
		v.say(all[0], "Newer still")
		if got := ids(v.sessions("{}")); got[0] != all[0] || got[1] != all[3] {
			t.Errorf("first = %v", got[:2])
		}
	})
}
