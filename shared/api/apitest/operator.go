package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/parleytest"
)

// The shapes of the operator API's answers, as far as tests look at them.
type (
	staffSession struct {
		session
		Title        string
		Number       parley.SessionNumber
		Archived     bool
		Operator     *parley.OperatorID
		WaitingSince *time.Time
		Owner        struct {
			Visitor *parley.VisitorID
			Contact *parley.ContactID
			Proven  bool
		}
	}
	staffEntry struct {
		entry
		Internal bool
		Reason   string
	}
	written struct {
		Session  staffSession
		Message  staffEntry
		Replayed bool
	}
	inboxPage struct {
		Sessions []struct {
			Session staffSession
			Person  struct{ Name, Email string }
			Page    struct{ URL string }
			Seen    parley.Seq
			Unread  bool
		}
		Next *string
	}
	staffDetail struct {
		Session staffSession
		Visitor *struct {
			ID                                          parley.VisitorID
			Blocked                                     bool
			Name, Email, Language, Timezone, ExternalID string
			Metadata, Device                            map[string]string
			Attribution                                 json.RawMessage
			LastSeenAt                                  *time.Time
			Pages                                       []struct {
				URL, Title string
				At         time.Time
			}
		}
		Contact *struct {
			ID               parley.ContactID
			Name, ExternalID string
			Proven, Blocked  bool
		}
		Rating            *struct{ Score int }
		About             struct{ Metadata, Attributes map[string]string }
		Seen, VisitorSeen parley.Seq
		Entries           []staffEntry
		Next              *string
	}
	newPrivateKey struct {
		Key    struct{ ID string }
		Secret string
	}
)

// staff returns a client that has a private key of the browser's project: of an
// operator, who is made if there is none, or of the server where that is "".
func (b *browser) staff(operator parley.OperatorID, scopes ...parley.Scope) *browser {
	b.t.Helper()
	p := b.settings().ID
	if operator != "" {
		if err := b.Store.PutOperator(b.t.Context(), p, parley.Operator{ID: operator, Name: "Operator " + string(operator)}); err != nil {
			b.t.Fatal(err)
		}
	}
	_, secret, err := b.Store.AddPrivateKey(b.t.Context(), p, parley.PrivateKey{Name: fresh("key"), Scopes: scopes, Operator: operator})
	if err != nil {
		b.t.Fatal(err)
	}
	other := *b
	other.key, other.token, other.origin = "", secret, ""
	other.get("/operator/me") // the first use is noted
	return &other
}

func put(path string, body any) call { return call{method: http.MethodPut, path: path, body: body} }

func (b *browser) put(path string, body any) *answer {
	b.t.Helper()
	return b.do(put(path, body)).is(http.StatusOK)
}

func ofStaff(id parley.SessionID) string { return "/operator/sessions/" + string(id) }

func testOperatorSessions(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	grace, server := b.staff("grace", parley.Scopes()...), b.staff("", parley.Scopes()...)
	m := ask("One").with("page", map[string]string{"url": "https://shop.example/cart"}).with("metadata", map[string]string{"plan": "gold"})
	id := b.chat(m).accepted.Session.ID
	path := ofStaff(id)

	grace.await("the session in the inbox", func() bool { return len(into[inboxPage](grace.get("/operator/inbox")).Sessions) == 1 })
	item := into[inboxPage](grace.get("/operator/inbox?state=open&holder=ai&limit=1")).Sessions[0]
	if item.Session.ID != id || item.Page.URL != "https://shop.example/cart" || item.Seen != 0 || item.Unread || item.Session.Operator != nil {
		t.Errorf("inbox = %+v", item)
	}
	n := fmt.Sprint(item.Session.Number)
	for said, want := range map[string]int{n: 1, n[:4] + " " + n[4:8] + "-" + n[8:]: 1, "100000000000": 0} {
		found := into[inboxPage](grace.get("/operator/sessions?number=" + url.QueryEscape(said))).Sessions
		if len(n) != 12 || len(found) != want || want == 1 && (found[0].Session.ID != id || found[0].Page.URL != item.Page.URL) {
			t.Errorf("sessions with the number %s = %+v", said, found)
		}
	}
	if got := into[struct{ Seen parley.Seq }](grace.put(path+"/seen", map[string]int{"seen": 2})); got.Seen != 2 {
		t.Errorf("seen = %+v", got)
	}
	d := into[staffDetail](grace.get(path))
	if d.Session.ID != id || d.Visitor == nil || d.Visitor.ID != b.who().Visitor || d.About.Metadata["plan"] != "gold" || d.Seen != 2 || len(d.Entries) != 2 {
		t.Errorf("session = %+v", d)
	}
	if d.Session.Title != "One" || item.Session.Title != "One" {
		t.Errorf("titles %q, %q, want the first message", d.Session.Title, item.Session.Title)
	}
	server.put(path+"/attributes", map[string]any{"attributes": map[string]string{"tier": "gold"}})
	if d := into[staffDetail](grace.get(path)); d.About.Attributes["tier"] != "gold" || d.About.Metadata["plan"] != "gold" {
		t.Errorf("about = %+v, want the attributes beside the metadata", d.About)
	}
	if d := into[staffDetail](server.get(path + "?limit=1")); d.Seen != 0 || len(d.Entries) != 1 || d.Entries[0].Seq != 2 || d.Next == nil {
		t.Errorf("session for the server = %+v", d)
	}

	// A reply takes the session over; saying it again changes nothing.
	hello := map[string]any{"messageId": fresh("m"), "content": "Hello from Grace"}
	got := into[written](grace.post(path+"/reply", hello))
	if got.Replayed || got.Message.Text != "Hello from Grace" || got.Message.Author.Name != "Operator grace" || got.Message.Author.Kind != "human" ||
		got.Session.Holder != parley.HolderHuman || got.Session.Operator == nil || *got.Session.Operator != "grace" {
		t.Errorf("reply = %+v", got)
	}
	before := s.standing(t)
	if again := into[written](grace.post(path+"/reply", hello)); !again.Replayed || again.Message.Seq != got.Message.Seq {
		t.Errorf("the same again = %+v", again)
	}
	grace.do(call{method: http.MethodPost, path: path + "/reply", body: map[string]any{"messageId": hello["messageId"], "content": "else"}}).
		fails(http.StatusConflict, "message_id_conflict")
	parleytest.Same(t, before, s.standing(t))
	grace.await("the session among mine", func() bool {
		return len(into[inboxPage](grace.get("/operator/inbox?operator=grace")).Sessions) == 1
	})

	// A note is for operators.
	if got := into[written](grace.post(path+"/note", map[string]any{"messageId": fresh("n"), "content": "Pays late"})); !got.Message.Internal {
		t.Errorf("note = %+v", got)
	}
	entries, _ := changes(t, b.get("/updates/"+string(id)).events)
	if texts := say(entries); slices.Contains(texts, "Pays late") || !slices.Contains(texts, "Hello from Grace") {
		t.Errorf("the visitor reads %q", texts)
	}
	if all := into[transcript](b.get("/history/" + string(id))).Entries; slices.Contains(say(all), "Pays late") {
		t.Error("the visitor reads a note")
	}
	events := grace.get(path + "/updates?after=2").events
	var seen []string
	for _, e := range events {
		if e.Name == "entry" {
			seen = append(seen, decode[staffEntry](t, e.Data).Text)
		}
	}
	if last := decode[staffSession](t, events[len(events)-1].Data); !slices.Equal(seen, []string{"", "Hello from Grace", "Pays late"}) || last.Holder != parley.HolderHuman {
		t.Errorf("updates = %q, %+v", seen, last)
	}

	// The server acts for an operator, or for the project.
	if err := s.Store.PutOperator(t.Context(), b.settings().ID, parley.Operator{ID: "heidi", Name: "Heidi"}); err != nil {
		t.Fatal(err)
	}
	as := func(operator string) call {
		return call{method: http.MethodPost, path: path + "/reply", body: map[string]any{"messageId": fresh("m"), "content": "From the desk"},
			header: map[string]string{api.OperatorHeader: operator}}
	}
	if got := into[written](server.do(as("heidi")).is(http.StatusOK)); got.Message.Author.Name != "Heidi" || *got.Session.Operator != "grace" {
		t.Errorf("reply for Heidi = %+v", got)
	}
	if got := into[written](server.do(as("")).is(http.StatusOK)); got.Message.Author.Name != b.settings().Name || got.Message.Author.ID != "" {
		t.Errorf("reply of the server = %+v", got)
	}
}

func say(entries []entry) (texts []string) {
	for _, e := range entries {
		texts = append(texts, e.Text)
	}
	return texts
}

func testOperatorStates(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	grace := b.staff("grace", parley.Scopes()...)
	id := b.chat(ask("One")).accepted.Session.ID
	path := ofStaff(id)
	type changed struct{ Session staffSession }
	for _, state := range []parley.State{"closed", "open", "resolved", "spam"} {
		for range 2 {
			if got := into[changed](grace.put(path+"/state", map[string]any{"state": state})); got.Session.State != state {
				t.Errorf("state %s = %+v", state, got)
			}
		}
	}
	b.do(call{method: http.MethodPost, path: "/chat", body: ask("Again").with("sessionId", id)}).fails(http.StatusConflict, "session_closed")
	grace.do(call{method: http.MethodPost, path: path + "/reply", body: map[string]any{"messageId": fresh("m"), "content": "No"}}).
		fails(http.StatusConflict, "session_closed")
	for _, e := range into[transcript](b.get("/history/" + string(id))).Entries {
		if e.Event == parley.EventSpam {
			t.Error("the visitor is told of spam")
		}
	}
	grace.await("the spam in its list", func() bool {
		return len(into[inboxPage](grace.get("/operator/inbox?state=spam")).Sessions) == 1
	})
	grace.put(path+"/state", map[string]any{"state": "open"})

	if got := into[changed](grace.put(path+"/archived", map[string]any{"archived": true})); !got.Session.Archived {
		t.Errorf("archived = %+v", got)
	}
	if got := into[changed](grace.put(path+"/holder", map[string]any{"holder": "human"})); got.Session.Holder != parley.HolderHuman || *got.Session.Operator != "grace" {
		t.Errorf("taken over = %+v", got)
	}
	if turn := b.chat(ask("Are you there?").with("sessionId", id)); turn.accepted.Run != nil || turn.accepted.Session.Holder != parley.HolderHuman {
		t.Errorf("an agent answers what a human has: %+v", turn.accepted)
	}
	if got := into[changed](grace.put(path+"/holder", map[string]any{"holder": "ai"})); got.Session.Holder != parley.HolderAI || got.Session.Operator != nil || got.Session.Archived {
		t.Errorf("handed back = %+v", got)
	}
	// The agent answers with the next message what nobody has answered.
	if turn := b.chat(ask("And now?").with("sessionId", id)); turn.text != Echo("Are you there?\n\nAnd now?") {
		t.Errorf("the agent says %q", turn.text)
	}

	blocked := "/operator/visitors/" + string(b.who().Visitor) + "/blocked"
	grace.put(blocked, map[string]any{"blocked": true})
	b.do(call{method: http.MethodGet, path: "/history"}).fails(http.StatusForbidden, "blocked")
	if d := into[staffDetail](grace.get(path)); !d.Visitor.Blocked {
		t.Errorf("visitor = %+v", d.Visitor)
	}
	grace.put(blocked, map[string]any{"blocked": false})
	b.get("/history")
}

// testOperatorBlocks: a contact is blocked in all its browsers, also in those in which
// it signs in later, and in the session that it writes in, until it is let in again.
func testOperatorBlocks(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	grace := b.staff("grace", parley.Scopes()...)
	claims := jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}
	contact := b.as(claims).Contact.ID
	id := b.chat(ask("Hello")).accepted.Session.ID
	later := b.visitor()
	before := later.chat(ask("Nobody knows me")).accepted.Session.ID
	path := "/operator/contacts/" + string(contact) + "/blocked"
	grace.put(path, map[string]any{"blocked": true})
	b.do(call{method: http.MethodPost, path: "/chat", body: ask("Again").with("sessionId", id)}).fails(http.StatusForbidden, "blocked")
	b.do(call{method: http.MethodGet, path: "/history"}).fails(http.StatusForbidden, "blocked")
	b.do(call{method: http.MethodPost, path: "/identify", body: map[string]any{"identity": b.identity("k1", claims)}}).fails(http.StatusForbidden, "blocked")
	fresh := *b
	fresh.token = ""
	fresh.do(call{method: http.MethodPost, path: "/identify", body: map[string]any{"identity": b.identity("k1", claims)}}).fails(http.StatusForbidden, "blocked")
	later.as(claims)
	later.do(call{method: http.MethodPost, path: "/chat", body: ask("Now they do").with("sessionId", before)}).fails(http.StatusForbidden, "blocked")
	if d := into[staffDetail](grace.get(ofStaff(id))); d.Contact == nil || !d.Contact.Blocked || d.Visitor.Blocked {
		t.Errorf("operators see %+v, %+v", d.Contact, d.Visitor)
	}
	grace.put(path, map[string]any{"blocked": false})
	for _, browser := range []*browser{b, later} {
		browser.chat(ask("Back"))
	}
	if d := into[staffDetail](grace.get(ofStaff(id))); d.Contact.Blocked {
		t.Error("operators still see the block")
	}
}

// testOperatorWatches: operators read a reply while it is written, and end it by
// taking over.
func testOperatorWatches(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	grace := b.staff("grace", parley.Scopes()...)
	m := ask("Done?")
	id := b.chat(m).accepted.Session.ID
	run := ofStaff(id) + "/runs/" + m.id()
	events := grace.get(run).events
	if text, _ := texts(t, events); text != Echo("Done?") || events[len(events)-1].Name != "end" {
		t.Errorf("watched %q in %v", text, events)
	}
	grace.do(call{method: http.MethodGet, path: run, header: map[string]string{"Last-Event-ID": m.id() + "/end"}}).is(http.StatusNoContent)

	question, gate := fresh("Still there? "), make(chan struct{})
	defer close(gate)
	s.Model.Script(question, []Step{{Text: "Let me"}, {Until: gate, Text: " see."}})
	m = ask(question).with("sessionId", id)
	answered := make(chan *answer, 1)
	go func() {
		defer close(answered) // also where it fails
		answered <- b.do(call{method: http.MethodPost, path: "/chat", body: m})
	}()
	ref := b.ref(id, m.id())
	b.await("the run", func() bool {
		log, err := b.Store.ReadLog(t.Context(), ref, 0, true)
		return err == nil && parley.Joined(log) == "Let me"
	})
	if got := into[staffDetail](grace.get(ofStaff(id))); got.Session.Run == nil || got.Session.Run.ID != parley.RunID(m.id()) {
		t.Errorf("session = %+v", got.Session)
	}
	grace.put(ofStaff(id)+"/holder", map[string]any{"holder": "human"})
	events = grace.get(ofStaff(id) + "/runs/" + m.id()).events
	if text, _ := texts(t, events); text != "Let me" || decode[ended](t, events[len(events)-1].Data).Status != parley.StatusTakenOver {
		t.Errorf("after the takeover: %v", events)
	}
	if end := turnOf(t, (<-answered).events).ended; end.Status != parley.StatusTakenOver {
		t.Errorf("the visitor reads %+v", end)
	}
}

func testOperatorUploads(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	grace, heidi := b.staff("grace", parley.Scopes()...), b.staff("heidi", parley.Scopes()...)
	id := b.chat(ask("One")).accepted.Session.ID
	file := into[granted](grace.do(call{method: http.MethodPost, path: "/operator/uploads",
		body: map[string]any{"name": "manual.txt", "type": "text/plain", "size": 4}}).is(http.StatusCreated))
	grace.do(call{method: http.MethodPost, path: "/operator/uploads/" + file.ID + "/complete"}).fails(http.StatusConflict, "upload_incomplete")
	grace.upload(file, "text")
	grace.post("/operator/uploads/"+file.ID+"/complete", nil)
	message := func() map[string]any {
		return map[string]any{"messageId": fresh("m"), "attachments": []string{file.ID}}
	}
	reply := func(who *browser) *answer {
		return who.do(call{method: http.MethodPost, path: ofStaff(id) + "/reply", body: message()})
	}
	heidi.do(call{method: http.MethodPost, path: "/operator/uploads/" + file.ID + "/complete"}).fails(http.StatusNotFound, "not_found")
	reply(heidi).fails(http.StatusUnprocessableEntity, "attachment_unknown")
	b.do(call{method: http.MethodPost, path: "/chat", body: ask("Mine").with("attachments", []string{file.ID})}).
		fails(http.StatusUnprocessableEntity, "attachment_unknown")
	got := into[written](reply(grace).is(http.StatusOK))
	if len(got.Message.Parts) != 1 || got.Message.Parts[0].Name != "manual.txt" || !strings.HasPrefix(got.Message.Parts[0].URL, s.URLs.Uploads) {
		t.Errorf("message = %+v", got.Message)
	}
	reply(grace).fails(http.StatusUnprocessableEntity, "attachment_unknown")
	off := s.project(t, func(p *parley.Project) { p.Uploads.Disabled = true })
	off.staff("", parley.Scopes()...).do(call{method: http.MethodPost, path: "/operator/uploads", body: map[string]any{"name": "a.txt", "type": "text/plain", "size": 1}}).
		fails(http.StatusForbidden, "uploads_off")
}

func testOperatorFigures(t *testing.T, s *suite) {
	b := s.project(t, nil).visitor()
	server := b.staff("", parley.ScopeRead)
	id := b.chat(ask("One")).accepted.Session.ID
	b.post("/csat", map[string]any{"sessionId": id, "score": 4, "feedback": "good"})
	type figures struct {
		Ratings struct {
			Count   int
			Average *float64
			Scores  []int
		}
		Answers struct{ Count int }
	}
	got := into[struct {
		From, To string
		Total    figures
		Days     []struct {
			Day     string
			Figures figures
		}
	}](server.get("/operator/figures"))
	if len(got.Days) != 30 || got.Total.Ratings.Count != 1 || *got.Total.Ratings.Average != 4 || got.Total.Ratings.Scores[3] != 1 || got.Days[29].Day != got.To {
		t.Errorf("figures = %+v", got)
	}
	server.await("the rating in the list", func() bool {
		list := into[struct {
			Ratings []struct {
				Session parley.SessionID
				Rating  struct {
					Score    int
					Feedback string
				}
			}
		}](server.get("/operator/ratings")).Ratings
		return len(list) == 1 && list[0].Session == id && list[0].Rating.Score == 4 && list[0].Rating.Feedback == "good"
	})
	if d := into[staffDetail](server.get(ofStaff(id))); d.Rating == nil || d.Rating.Score != 4 {
		t.Errorf("rating = %+v", d.Rating)
	}
}

func testOperatorProject(t *testing.T, s *suite) {
	b, other := s.project(t, nil), s.project(t, nil)
	manager := b.staff("", parley.Scopes()...)
	type settings struct {
		Revision int64
		Project  map[string]any
	}
	first := into[settings](manager.get("/operator/project"))
	first.Project["greeting"] = "Hello"
	actions := []any{map[string]any{"id": "find_order", "description": "Finds an order.", "url": "https://api.shop.example/orders/{order}",
		"parameters": map[string]any{"type": "object", "properties": map[string]any{"order": map[string]any{"type": "string"}}, "required": []any{"order"}},
		"values":     []any{map[string]any{"in": "header", "name": "Authorization", "secret": "shop-token"}, map[string]any{"in": "query", "name": "lang", "value": "en", "open": true}}}}
	modes := []any{map[string]any{"id": "returns", "name": "Returns", "description": "Something goes back.", "instructions": "Ask for the order."}}
	first.Project["actions"], first.Project["modes"] = actions, modes
	body := map[string]any{"revision": first.Revision, "project": first.Project}
	next := into[settings](manager.put("/operator/project", body))
	if next.Revision != first.Revision+1 || next.Project["greeting"] != "Hello" {
		t.Errorf("settings = %+v", next)
	}
	if read := into[settings](manager.get("/operator/project")).Project; !reflect.DeepEqual(read["actions"], any(actions)) || !reflect.DeepEqual(read["modes"], any(modes)) {
		t.Errorf("actions and modes are read as %v, %v", read["actions"], read["modes"])
	}
	before := s.standing(t)
	manager.do(put("/operator/project", body)).fails(http.StatusConflict, "revision_conflict")
	next.Project["public_keys"] = []string{other.key}
	manager.do(put("/operator/project", map[string]any{"revision": next.Revision, "project": next.Project})).fails(http.StatusConflict, "key_taken")
	parleytest.Same(t, before, s.standing(t))

	if got := into[struct{ Operator struct{ Name string } }](manager.put("/operator/operators/ada", map[string]any{"name": "Ada"})); got.Operator.Name != "Ada" {
		t.Errorf("operator = %+v", got)
	}
	if got := into[struct{ Operators []struct{ ID string } }](manager.get("/operator/operators")); len(got.Operators) != 1 || got.Operators[0].ID != "ada" {
		t.Errorf("operators = %+v", got)
	}
	remove := call{method: http.MethodDelete, path: "/operator/operators/ada"}
	manager.do(remove).is(http.StatusOK)
	manager.do(remove).fails(http.StatusNotFound, "not_found")
}

func testOperatorKeys(t *testing.T, s *suite) {
	b := s.project(t, nil)
	manager := b.staff("", parley.Scopes()...)
	created := func(path string, body any) *answer {
		return manager.do(call{method: http.MethodPost, path: path, body: body}).is(http.StatusCreated)
	}
	remove := func(path string) *answer { return manager.do(call{method: http.MethodDelete, path: path}) }

	// Public keys.
	key := into[struct{ Key string }](created("/operator/project/public-keys", map[string]any{"test": true})).Key
	if !strings.HasPrefix(key, "pk_test_") {
		t.Errorf("key = %q", key)
	}
	page := *b
	page.key = key
	page.await("the new key", func() bool { return page.do(call{method: http.MethodGet, path: "/config"}).status == http.StatusOK })
	remove("/operator/project/public-keys/" + key).is(http.StatusOK)
	remove("/operator/project/public-keys/"+key).fails(http.StatusNotFound, "not_found")
	remove("/operator/project/public-keys/"+b.key).fails(http.StatusBadRequest, "invalid_field")

	// Signing keys: what they sign is known.
	signing := into[struct{ Kid, Secret string }](created("/operator/project/signing-keys", nil))
	if signing.Secret != s.keys.SigningSecret(b.settings().ID, signing.Kid) {
		t.Errorf("signing key = %+v", signing)
	}
	remove("/operator/project/signing-keys/" + signing.Kid).is(http.StatusOK)
	remove("/operator/project/signing-keys/"+signing.Kid).fails(http.StatusNotFound, "not_found")

	// Tokens: all that there are at once. Who signs in again has what was theirs.
	anonymous, ann := b.visitor(), *b
	ann.token = ""
	ann.as(jwt.MapClaims{"sub": "ann"})
	anns := ann.chat(ask("Mine")).accepted.Session.ID
	remove("/operator/project/tokens").is(http.StatusOK)
	for _, who := range []*browser{anonymous, &ann} {
		who.await("a void token", func() bool {
			return who.do(call{method: http.MethodGet, path: "/history"}).status == http.StatusUnauthorized
		})
		who.do(call{method: http.MethodGet, path: "/history"}).fails(http.StatusUnauthorized, "token_revoked")
	}
	// A host issues such tokens for a while, for it knows of no other settings yet.
	ann.await("a token that stands", func() bool {
		time.Sleep(100 * time.Millisecond) // an address gets 600 identities an hour
		ann.token = ""
		ann.as(jwt.MapClaims{"sub": "ann"})
		return ann.do(call{method: http.MethodGet, path: "/history/" + string(anns)}).status == http.StatusOK
	})
	anonymous.visitor().get("/history")
	type generation struct {
		Revision int64
		Project  map[string]any
	}
	stands := into[generation](manager.get("/operator/project"))
	delete(stands.Project, "token_generation") // as a copy from before has it
	manager.put("/operator/project", map[string]any{"revision": stands.Revision, "project": stands.Project})
	if got := into[generation](manager.get("/operator/project")).Project["token_generation"]; got != 1.0 {
		t.Errorf("the generation is %v after the settings were replaced, want 1", got)
	}

	// Private keys: two of one name work at a time.
	made := func() newPrivateKey {
		return into[newPrivateKey](created("/operator/project/private-keys", map[string]any{"name": "backend", "scopes": []string{"read"}}))
	}
	one, two := made(), made()
	manager.do(call{method: http.MethodPost, path: "/operator/project/private-keys", body: map[string]any{"name": "backend", "scopes": []string{"read"}}}).
		fails(http.StatusConflict, "too_many_keys")
	list := manager.get("/operator/project/private-keys")
	if keys := into[struct{ Keys []struct{ ID string } }](list).Keys; len(keys) != 3 || strings.Contains(list.body, one.Secret[10:]) || strings.Contains(list.body, two.Secret[10:]) {
		t.Errorf("keys = %s", list.body)
	}
	with := func(secret string) *answer {
		client := *manager
		client.token = secret
		return client.do(call{method: http.MethodGet, path: "/operator/me"})
	}
	with(one.Secret).is(http.StatusOK)
	remove("/operator/project/private-keys/" + one.Key.ID).is(http.StatusOK)
	remove("/operator/project/private-keys/"+one.Key.ID).fails(http.StatusNotFound, "not_found")
	with(one.Secret).fails(http.StatusUnauthorized, "unknown_key")
	with(two.Secret).is(http.StatusOK)
}

// testOperatorScopes: no key makes one that may do more than itself. Every set of
// scopes asks for every other.
func testOperatorScopes(t *testing.T, s *suite) {
	b := s.project(t, nil)
	b.staff("grace", parley.Scopes()...)
	of := func(bits int) (set []parley.Scope) {
		for i, scope := range parley.Scopes() {
			if bits&(1<<i) != 0 {
				set = append(set, scope)
			}
		}
		return set
	}
	const every = 1<<3 - 1
	for has := 1; has <= every; has++ {
		_, secret, err := s.Store.AddPrivateKey(t.Context(), b.settings().ID, parley.PrivateKey{Name: fresh("maker"), Scopes: of(has)})
		if err != nil {
			t.Fatal(err)
		}
		maker := *b
		maker.key, maker.token, maker.origin = "", secret, ""
		for wants := 1; wants <= every; wants++ {
			before, err := s.Store.PrivateKeys(t.Context(), b.settings().ID)
			if err != nil {
				t.Fatal(err)
			}
			a := maker.do(call{method: http.MethodPost, path: "/operator/project/private-keys", body: map[string]any{"name": fresh("made"), "scopes": of(wants)}})
			if slices.Contains(of(has), parley.ScopeManage) && wants&^has == 0 {
				a.is(http.StatusCreated)
				continue
			}
			a.fails(http.StatusForbidden, "scope_missing")
			after, err := s.Store.PrivateKeys(t.Context(), b.settings().ID)
			if err != nil || len(after) != len(before) {
				t.Errorf("a key with %v that asks for %v leaves %d keys of %d, %v", of(has), of(wants), len(after), len(before), err)
			}
		}
	}
	// Nor by a key that acts as somebody else.
	_, secret, err := s.Store.AddPrivateKey(t.Context(), b.settings().ID, parley.PrivateKey{Name: "manager", Scopes: []parley.Scope{parley.ScopeManage}})
	if err != nil {
		t.Fatal(err)
	}
	manager := *b
	manager.key, manager.token, manager.origin = "", secret, ""
	manager.do(call{method: http.MethodPost, path: "/operator/project/private-keys",
		body: map[string]any{"name": "as grace", "scopes": parley.Scopes(), "operator": "grace"}}).fails(http.StatusForbidden, "scope_missing")
}

// testOperatorOrigins: a private key is not for pages of other sites.
func testOperatorOrigins(t *testing.T, s *suite) {
	b := s.project(t, func(p *parley.Project) { p.Origins = []string{"*"} })
	live := b.staff("grace", parley.Scopes()...)
	_, secret, err := s.Store.AddPrivateKey(t.Context(), b.settings().ID, parley.PrivateKey{Name: "test", Scopes: parley.Scopes(), Test: true})
	if err != nil {
		t.Fatal(err)
	}
	test := *live
	test.token = secret
	for _, c := range []struct {
		who          *browser
		origin, site string
		allowed      bool
	}{
		{live, "", "", true},
		{live, "https://shop.example", "cross-site", false},
		{live, "https://shop.example", "", false},
		{live, "https://desk.shop.example", "same-site", false},
		{live, "http://localhost:5173", "", false},
		{live, "null", "", false},
		{live, "https://desk.example", "same-origin", true}, // behind a distribution
		{live, s.OperatorOrigin, "", true},
		{&test, "http://localhost:5173", "cross-site", true},
		{&test, "https://shop.example", "cross-site", false},
	} {
		who := *c.who
		who.origin = c.origin
		got := who.do(call{method: http.MethodGet, path: "/operator/me", header: map[string]string{"Sec-Fetch-Site": c.site}})
		switch {
		case c.allowed:
			got.is(http.StatusOK)
		default:
			got.fails(http.StatusForbidden, "origin_refused")
		}
	}
}
