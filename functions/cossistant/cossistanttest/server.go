package cossistanttest

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/shared/parley"
)

// server is a team's server of the page's project: with a private key, and as Ann where
// actor is "ann". It has neither a public key nor an origin.
type server struct {
	*page
	secret, actor string
	key           string // its id
}

// server has a key of these scopes, of all where none is given.
func (p *page) server(scopes ...parley.Scope) *server {
	p.t.Helper()
	if scopes == nil {
		scopes = parley.Scopes()
	}
	return p.serverBy(parley.PrivateKey{Scopes: scopes})
}

// serverBy has a key like this, of a name of its own. It acts as Ann, or as whose the
// key is.
func (p *page) serverBy(k parley.PrivateKey) *server {
	p.t.Helper()
	actor := "ann"
	if k.Operator != "" {
		actor = ""
	}
	k.Name = rand.Text()
	key, secret, err := p.Store.AddPrivateKey(p.t.Context(), p.project, k)
	if err != nil {
		p.t.Fatal(err)
	}
	bare := *p
	bare.visitor, bare.key = "", ""
	return &server{&bare, secret, actor, key.ID}
}

func (s *server) do(method, path string, body any) *answer {
	s.t.Helper()
	header := []string{"Origin", "", "X-Actor-User-Id", s.actor}
	if s.secret != "" {
		header = append(header, "Authorization", "Bearer "+s.secret)
	}
	return s.call(method, path, body, header...)
}

func (s *server) writes(conversation string, item object) *answer {
	s.t.Helper()
	return s.do("POST", "/messages", object{"conversationId": conversation, "item": item})
}

// c60: what an answer rests on stands in it for all to see.
func c60(t *testing.T, s *suite) {
	p := s.visitors(t)
	c := parley.Caller{Project: p.project, Channel: parley.ChannelCossistant, Bare: true, Visitor: parley.VisitorID(p.visitor)}
	id := chat()
	sent, err := s.Store.Send(t.Context(), c, parley.SendRequest{ID: parley.EntryID(ulid()), Session: parley.SessionID(id), Begins: true,
		Channel: parley.ChannelCossistant, Content: "question", Claim: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Store.EndRun(t.Context(), sent.Claim.Ref, nil, parley.End{Next: sent.Claim.Next, Status: parley.StatusDone, Text: "answer", Unflushed: "answer",
		Sources: []parley.Source{{Title: "Shipping", URL: "https://shop.example/shipping"}}})
	if err != nil {
		t.Fatal(err)
	}
	a := p.get("/conversations/" + id + "/timeline").ok()
	items := a.at("items").([]any)
	last := items[len(items)-1].(object)
	parts, _ := last["parts"].([]any)
	if last["visibility"] != "public" || last["aiAgentId"] != "ada" || len(parts) != 2 || parts[1].(object)["type"] != "source-url" ||
		parts[1].(object)["url"] != "https://shop.example/shipping" || parts[1].(object)["title"] != "Shipping" {
		t.Errorf("the answer is %v", last)
	}
}

// serverConversations: a person of the team reads, answers, notes and settles by the
// team's own server what the visitor sees as far as it is the visitor's to see.
func serverConversations(t *testing.T, s *suite) {
	p := s.visitors(t)
	team := p.server()
	id := chat()
	p.begin(id, ulid()).ok()
	at := "/conversations/" + id
	team.do("GET", at, nil).ok().is(object{"conversation.id": id, "conversation.status": "open", "conversation.visitorId": p.visitor, "conversation.organizationId": p.project,
		"conversation.priority": "normal", "conversation.assignedToUserId": nil, "conversation.visitorLastSeenAt": nil})
	team.do("POST", at+"/join-escalation", nil).ok().is(object{"conversation.assignedToUserId": "ann"})

	reply, note := ulid(), ulid()
	for range 2 {
		team.writes(id, object{"id": reply, "type": "message", "text": "Hello, this is Ann.", "userId": "ann"}).ok().
			is(object{"item.id": reply, "item.userId": "ann", "item.visitorId": nil, "item.aiAgentId": nil, "item.visibility": "public"})
	}
	team.writes(id, object{"id": note, "text": "A note", "userId": "ann", "visibility": "private"}).ok().is(object{"item.visibility": "private"})
	if got := team.do("GET", at+"/timeline", nil).ok().ids("items"); !slices.Contains(got, reply) || !slices.Contains(got, note) {
		t.Errorf("the server has the items %q", got)
	}
	shown := p.get(at + "/timeline").ok()
	if got := shown.ids("items"); !slices.Contains(got, reply) || slices.Contains(got, note) || strings.Contains(shown.body, "A note") {
		t.Errorf("the visitor has the items %q", got)
	}
	p.send(id, p.said(ulid(), "Thank you")).ok()
	if rows := team.do("GET", at+"/seen", nil).ok().body; !strings.Contains(rows, `"userId":"ann"`) {
		t.Errorf("who has written has seen nothing: %s", rows)
	}
	seen := p.post(at+"/seen", object{}).ok().text("lastSeenAt")
	team.do("GET", at, nil).ok().is(object{"conversation.visitorLastSeenAt": seen})
	team.do("GET", "/conversations?visitorId="+p.visitor, nil).ok().is(object{"pagination.total": 1})
	team.do("POST", at+"/read", object{}).ok().is(object{"conversation.id": id})

	for _, step := range []struct{ path, status string }{{"resolve", "resolved"}, {"reopen", "open"}, {"spam", "spam"}, {"not-spam", "open"}} {
		team.do("POST", at+"/"+step.path, nil).ok().is(object{"conversation.status": step.status})
		p.get(at).ok().is(object{"conversation.status": step.status})
	}
	if team.do("POST", at+"/archive", nil).ok().at("conversation", "deletedAt") == nil || len(p.get("/conversations").ok().ids("conversations")) != 0 {
		t.Error("archived it is still listed")
	}
	team.do("POST", at+"/unarchive", nil).ok().is(object{"conversation.deletedAt": nil})
	team.do("POST", at+"/ai/resume", nil).ok().is(object{"conversation.assignedToUserId": nil})

	for what, item := range map[string]object{"nobody": {"text": "x"}, "an agent": {"text": "x", "userId": nil, "aiAgentId": "ada"},
		"a visitor": {"text": "x", "visitorId": p.visitor}, "an event": {"type": "event", "text": "", "userId": "ann"},
		"hidden": {"text": "x", "userId": "ann", "visibility": "secret"}} {
		if a := team.writes(id, item); a.status != 400 {
			t.Errorf("a server writes as %s: %d %s", what, a.status, a.body)
		}
	}
	team.writes(id, object{"text": "x", "userId": "ann", "parts": []any{object{"type": "file", "url": "https://evil.example/files/a/b/c"}}}).fails(422)
	team.writes(id, object{"text": "x", "userId": "bob"}).fails(403)
	team.writes(chat(), object{"text": "x", "userId": "ann"}).fails(404)
}

// serverInbox: all conversations of the project, newest first, by pages and by status.
func serverInbox(t *testing.T, s *suite) {
	p := s.visitors(t)
	team := p.server()
	p.post("/contacts/identify", object{"visitorId": p.visitor, "externalId": "u1", "name": "Ann Other"}).ok()
	p.patch("/visitors/"+p.visitor, object{"timezone": "Europe/Berlin"}).ok()
	var want []string
	for range 3 {
		id := chat()
		p.begin(id, ulid()).ok()
		p.taken(id)
		want = append([]string{id}, want...)
	}
	team.do("POST", "/conversations/"+want[2]+"/resolve", nil).ok()
	open, resolved := want[:2], want[2:]
	// Newest first; of two that changed in one moment either may be.
	listed := func(query string) (ids []string) {
		t.Helper()
		last := "3"
		for cursor, pages := "", 0; pages < 9; pages++ {
			a := team.do("GET", "/conversations/inbox?"+query+"&cursor="+cursor, nil).ok()
			ids = append(ids, a.ids("items")...)
			for i := range a.ids("items") {
				if at := a.text("items", i, "updatedAt"); at > last {
					t.Errorf("%s lists one of %s after one of %s", query, at, last)
				} else {
					last = at
				}
			}
			if a.at("nextCursor") == nil {
				slices.Sort(ids)
				return ids
			}
			cursor = a.text("nextCursor")
		}
		t.Error("the pages do not end")
		return ids
	}
	for query, ids := range map[string][]string{"limit=2": want, "status=open": open, "status=resolved": resolved, "status=spam": nil, "limit=500": want,
		"assignedToUserId=ann": want, "assignedToUserId=ann&status=open": open, "assignedToUserId=bob": nil} {
		if got, ids := listed(query), slices.Sorted(slices.Values(ids)); !slices.Equal(got, ids) {
			t.Errorf("%s lists %q, want %q", query, got, ids)
		}
	}
	a := team.do("GET", "/conversations/inbox", nil).ok()
	for path, value := range map[string]string{"name": "Ann Other", "externalId": "u1"} {
		if got := a.text("items", 0, "visitor", "contact", path); got != value {
			t.Errorf("%s = %q, want %q", path, got, value)
		}
	}
	if a.text("items", 0, "visitor", "timezone") != "Europe/Berlin" || a.text("items", 0, "lastTimelineItem", "conversationId") != a.text("items", 0, "id") || a.at("items", 0, "lastMessageAt") == nil {
		t.Errorf("inbox = %s", a.body)
	}
	team.do("GET", "/conversations/inbox?status=none", nil).fails(400)
}

// serverContacts: whom the server vouches for is known by it alone, on every browser
// that it links, and is erased with all that is theirs.
func serverContacts(t *testing.T, s *suite) {
	p := s.visitors(t)
	other := p.arrive()
	team := p.server()
	made := team.do("POST", "/contacts", object{"externalId": "u1", "email": "Ann@Shop.example", "name": "Ann", "metadata": object{"plan": "pro", "mrr": 99}})
	id := made.ok().is(object{"contact.externalId": "u1", "contact.email": "Ann@Shop.example", "contact.metadata.mrr": 99}).text("contact", "id")
	if again := team.do("POST", "/contacts", object{"externalId": "u1", "name": "Ann Other"}).ok(); made.status != 201 || again.status != 200 || again.text("contact", "id") != id || again.text("contact", "email") != "Ann@Shop.example" {
		t.Errorf("made with %d, said again with %d: %s", made.status, again.status, again.body)
	}
	at := "/contacts/" + id
	team.do("PATCH", at, object{"name": "Anna", "email": "anna@shop.example"}).ok().is(object{"contact.name": "Anna", "contact.email": "anna@shop.example", "contact.metadata.plan": "pro"})
	team.do("PATCH", at+"/metadata", object{"metadata": object{"plan": nil, "seats": 3}}).ok()
	got := team.do("GET", at, nil).ok().is(object{"contact.metadata.seats": 3, "contact.metadata.mrr": 99})
	if strings.Contains(got.body, "plan") {
		t.Errorf("a key that was taken away stays: %s", got.body)
	}
	team.do("PATCH", at, object{"externalId": "u2"}).fails(400)
	team.do("POST", "/contacts", object{"name": "Nobody"}).fails(400)

	for _, visitor := range []*page{p, other} {
		team.do("POST", "/contacts/identify", object{"visitorId": visitor.visitor, "externalId": "u1"}).ok().is(object{"contact.id": id, "visitorId": visitor.visitor})
	}
	conversation := chat()
	p.begin(conversation, ulid()).ok()
	if got := other.get("/conversations").ok().ids("conversations"); !slices.Equal(got, []string{conversation}) {
		t.Errorf("the contact's other browser lists %q", got)
	}
	p.get("/websites").ok().is(object{"visitor.contact.id": id, "visitor.contact.name": "Anna"})
	team.do("GET", "/visitors/"+p.visitor, nil).ok().is(object{"id": p.visitor, "contact.id": id, "isBlocked": false})

	if a := team.do("DELETE", at, nil); a.status != http.StatusNoContent || a.body != "" {
		t.Errorf("erasing = %d %s", a.status, a.body)
	}
	team.do("GET", at, nil).fails(404)
	team.do("GET", "/conversations/"+conversation, nil).fails(404)
	for _, visitor := range []*page{p, other} {
		visitor.get("/conversations").fails(404)
	}
}
