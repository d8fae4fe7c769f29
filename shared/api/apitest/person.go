package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/shared/parley"
)

// testBareVisitor: operators see what a visitor without a token said of itself, where
// it is and was, and that nobody vouched for that; of one for whom somebody did, both.
func testBareVisitor(t *testing.T, s *suite) {
	b := s.project(t, nil)
	ctx := t.Context()
	grace := b.staff("grace", parley.Scopes()...)
	project := b.settings().ID
	c := parley.Caller{Project: project, Channel: parley.ChannelCossistant, Address: "203.0.113.9"}
	v, err := s.Store.Arrive(ctx, c, "")
	if err != nil {
		t.Fatal(err)
	}
	c.Bare, c.Visitor = true, v.ID
	says := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	says(s.Store.Introduce(ctx, c, parley.Introduction{External: "u1", Email: "Ann@Shop.example", Name: "Ann", Metadata: parley.Scalars{"mrr": json.RawMessage("99")}}))
	says(s.Store.Track(ctx, c, parley.Tracking{Language: "de-DE", Timezone: "Europe/Berlin", Device: map[string]string{"browser": "Firefox"},
		First: json.RawMessage(`{"firstTouch":{"channel":"direct"}}`)}))
	for n := range parley.MaxPast + 3 {
		says(s.Store.Track(ctx, c, parley.Tracking{Page: json.RawMessage(fmt.Sprintf(`{"url":"https://shop.example/%d?reset=secret#it","title":"Page %d"}`, n, n))}))
	}
	id := parley.SessionID(fresh("CO"))
	sent, err := s.Store.Send(ctx, c, parley.SendRequest{ID: parley.EntryID(fresh("m")), Session: id, Begins: true, Channel: parley.ChannelCossistant, Content: "Hello"})
	says(err)
	if _, err := s.Store.MoveMark(ctx, c, id, parley.MarkSeen, sent.Message.Seq); err != nil {
		t.Fatal(err)
	}

	d := into[staffDetail](grace.get(ofStaff(id)))
	got := d.Visitor
	if d.Contact != nil || d.Session.Owner.Proven || got.Name != "Ann" || got.Email != "Ann@Shop.example" || got.ExternalID != "u1" || got.Metadata["mrr"] != "99" ||
		got.Language != "de-DE" || got.Timezone != "Europe/Berlin" || got.Device["browser"] != "Firefox" || string(got.Attribution) != `{"firstTouch":{"channel":"direct"}}` || got.LastSeenAt == nil {
		t.Errorf("operators see %+v of %+v", got, d.Session.Owner)
	}
	if len(got.Pages) != parley.MaxPast+1 || got.Pages[0].URL != fmt.Sprint("https://shop.example/", parley.MaxPast+2, "?reset=secret#it") ||
		got.Pages[1].URL != fmt.Sprint("https://shop.example/", parley.MaxPast+1) ||
		got.Pages[1].Title != fmt.Sprint("Page ", parley.MaxPast+1) || got.Pages[1].At.After(got.Pages[0].At) {
		t.Errorf("pages = %+v", got.Pages)
	}
	if d.VisitorSeen != sent.Message.Seq || d.Seen != 0 {
		t.Errorf("seen by the visitor is %d, by Grace %d, want %d and 0", d.VisitorSeen, d.Seen, sent.Message.Seq)
	}

	if _, err := s.Store.Prove(ctx, c, parley.Identity{External: "u7", Name: "Cleo"}); err != nil {
		t.Fatal(err)
	}
	proven, err := s.Store.BareCaller(ctx, c, v.ID)
	says(err)
	second := parley.SessionID(fresh("CO"))
	_, err = s.Store.Send(ctx, proven, parley.SendRequest{ID: parley.EntryID(fresh("m")), Session: second, Begins: true, Channel: parley.ChannelCossistant, Content: "Hello"})
	says(err)
	d = into[staffDetail](grace.get(ofStaff(second)))
	if !d.Session.Owner.Proven || d.Contact == nil || !d.Contact.Proven || d.Contact.Name != "Cleo" || d.Contact.ExternalID != "u7" || d.Visitor.Name != "Ann" || d.Visitor.ExternalID != "u1" {
		t.Errorf("of a proven one operators see %+v and %+v", d.Contact, d.Visitor)
	}
}

// testOperatorErases: a contact is gone with all its browsers and sessions, a browser
// that is nobody's alone.
func testOperatorErases(t *testing.T, s *suite) {
	b := s.project(t, nil)
	grace := b.staff("grace", parley.Scopes()...)
	remove := func(path string) *answer { return grace.do(call{method: http.MethodDelete, path: path}) }
	claims := jwt.MapClaims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}
	signed, anonymous := b.visitor(), b.visitor()
	contact := signed.as(claims).Contact.ID
	theirs, other := signed.chat(ask("Hello")).accepted.Session.ID, anonymous.chat(ask("Hello")).accepted.Session.ID
	remove("/operator/visitors/"+string(signed.who().Visitor)).fails(http.StatusConflict, "of_contact")
	claimed, err := s.Store.Acquaint(t.Context(), parley.AcquaintRequest{Project: b.settings().ID, Channel: parley.ChannelHissuno, Identity: parley.Identity{Email: "ann@shop.example"}})
	if err != nil {
		t.Fatal(err)
	}
	remove("/operator/contacts/"+string(claimed.Contact.ID)).fails(http.StatusConflict, "unproven_contact")
	remove("/operator/contacts/" + string(contact)).is(http.StatusOK)
	grace.do(call{method: http.MethodGet, path: ofStaff(theirs)}).fails(http.StatusNotFound, "not_found")
	signed.do(call{method: http.MethodGet, path: "/history"}).fails(http.StatusUnauthorized, "token_revoked")
	remove("/operator/contacts/"+string(contact)).fails(http.StatusNotFound, "not_found")
	if again := b.visitor().as(claims).Contact.ID; again == contact {
		t.Error("who signs in as the same is the contact that was erased")
	}
	typed, err := s.Store.Acquaint(t.Context(), parley.AcquaintRequest{Project: b.settings().ID, Channel: parley.ChannelOpenCX, Identity: parley.Identity{Email: "bob@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	remove("/operator/contacts/"+string(typed.Contact.ID)).fails(http.StatusConflict, "unproven_contact")
	grace.get(ofStaff(other))
	remove("/operator/visitors/" + string(anonymous.who().Visitor)).is(http.StatusOK)
	grace.do(call{method: http.MethodGet, path: ofStaff(other)}).fails(http.StatusNotFound, "not_found")
}
