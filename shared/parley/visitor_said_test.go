package parley_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestIntroductionIsChecked: what a page says of its visitor is as long as it may be
// and no longer.
func TestIntroductionIsChecked(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	email := func(n int) string { return x(n-len("@example.com")) + "@example.com" }
	for name, test := range map[string]struct {
		said parley.Introduction
		code string
	}{
		"nobody":                  {parley.Introduction{Name: "Ann"}, "invalid_field"},
		"blanks for an address":   {parley.Introduction{Email: "  "}, "invalid_field"},
		"an id":                   {parley.Introduction{External: "ann"}, ""},
		"a bad id":                {parley.Introduction{External: "a\x00"}, "invalid_field"},
		"an address":              {parley.Introduction{Email: "ann@example.com"}, ""},
		"the longest address":     {parley.Introduction{Email: email(254)}, ""},
		"a longer address":        {parley.Introduction{Email: email(255)}, "too_large"},
		"the longest name":        {parley.Introduction{External: "ann", Name: x(parley.MaxNameBytes)}, ""},
		"a longer name":           {parley.Introduction{External: "ann", Name: x(parley.MaxNameBytes + 1)}, "too_large"},
		"the longest picture":     {parley.Introduction{External: "ann", Picture: x(parley.MaxPageBytes)}, ""},
		"a longer picture":        {parley.Introduction{External: "ann", Picture: x(parley.MaxPageBytes + 1)}, "too_large"},
		"a name that is no UTF-8": {parley.Introduction{External: "ann", Name: "\xff"}, "invalid_field"},
		"metadata":                {parley.Introduction{External: "ann", Metadata: parley.Scalars{"a": json.RawMessage("1")}}, ""},
		"metadata in metadata":    {parley.Introduction{External: "ann", Metadata: parley.Scalars{"a": json.RawMessage("{}")}}, "invalid_field"},
	} {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				s.want(name, s.store.Introduce(context.Background(), s.bare(), test.said), test.code)
			})
		})
	}
}

// TestScalarsAreChecked: metadata that keep their types are few, short and flat.
func TestScalarsAreChecked(t *testing.T) {
	long := func(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`) }
	many := func(n int) parley.Scalars {
		m := parley.Scalars{}
		for i := range n {
			m[fmt.Sprint(i)] = json.RawMessage("1")
		}
		return m
	}
	one := func(value string) parley.Scalars { return parley.Scalars{"a": json.RawMessage(value)} }
	onBolt(t, func(s scene) {
		for name, test := range map[string]struct {
			said parley.Scalars
			code string
		}{
			"a text":            {one(`"x"`), ""},
			"a number":          {one("1.5"), ""},
			"true":              {one("true"), ""},
			"null":              {one("null"), ""},
			"a list":            {one("[1]"), "invalid_field"},
			"an object":         {one("{}"), "invalid_field"},
			"nothing":           {one(""), "invalid_field"},
			"no JSON":           {one("x"), "invalid_field"},
			"no UTF-8":          {one("\"\xff\""), "too_large"},
			"the longest value": {parley.Scalars{"a": long(parley.MaxMetadataBytes)}, ""},
			"a longer value":    {parley.Scalars{"a": long(parley.MaxMetadataBytes + 1)}, "too_large"},
			"the longest name":  {parley.Scalars{strings.Repeat("n", parley.MaxMetadataBytes): json.RawMessage("1")}, ""},
			"a longer name":     {parley.Scalars{strings.Repeat("n", parley.MaxMetadataBytes+1): json.RawMessage("1")}, "too_large"},
			"as many as may be": {many(parley.MaxMetadata), ""},
			"more than may be":  {many(parley.MaxMetadata + 1), "invalid_field"},
		} {
			c := s.bare()
			s.want("introduction", s.store.Introduce(context.Background(), c, parley.Introduction{External: "ann"}), "")
			s.want(name, s.store.SayMetadata(context.Background(), c, test.said), test.code)
		}
	})
}

// TestScalarsAsTexts: people and agents read values as text, and no nulls.
func TestScalarsAsTexts(t *testing.T) {
	if got := (parley.Scalars{}).Texts(); got != nil {
		t.Errorf("of none there are %v", got)
	}
	got := parley.Scalars{"text": json.RawMessage(`"a"`), "number": json.RawMessage("1.5"), "null": json.RawMessage("null")}.Texts()
	if want := map[string]string{"text": "a", "number": "1.5"}; !maps.Equal(got, want) {
		t.Errorf("texts = %v, want %v", got, want)
	}
}

// TestIntroducedAgain: the same person's words come on top of each other, by id or by
// address alone, and another's replace them.
func TestIntroducedAgain(t *testing.T) {
	plan := func(value string) parley.Scalars { return parley.Scalars{"plan": json.RawMessage(value)} }
	first := parley.Introduction{External: "ann", Email: "Ann@example.com", Name: "Ann", Picture: "https://shop.example/a.png", Metadata: plan("1")}
	for name, test := range map[string]struct{ said, want parley.Introduction }{
		"a new name": {parley.Introduction{External: "ann", Name: "Anna"},
			parley.Introduction{External: "ann", Email: first.Email, Name: "Anna", Picture: first.Picture, Metadata: first.Metadata}},
		"by the address alone": {parley.Introduction{Email: "ann@example.com", Name: "Anna"},
			parley.Introduction{External: "ann", Email: "ann@example.com", Name: "Anna", Picture: first.Picture, Metadata: first.Metadata}},
		"more metadata": {parley.Introduction{External: "ann", Metadata: parley.Scalars{"team": json.RawMessage("2")}},
			parley.Introduction{External: "ann", Email: first.Email, Name: "Ann", Picture: first.Picture,
				Metadata: parley.Scalars{"plan": json.RawMessage("1"), "team": json.RawMessage("2")}}},
		"another id":      {parley.Introduction{External: "bob", Name: "Bob"}, parley.Introduction{External: "bob", Name: "Bob"}},
		"another address": {parley.Introduction{Email: "bob@example.com"}, parley.Introduction{Email: "bob@example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				c := s.bare()
				s.want("first", s.store.Introduce(context.Background(), c, first), "")
				before := s.profile(c).Said
				await(time.Second)
				s.want("again", s.store.Introduce(context.Background(), c, test.said), "")
				got := s.profile(c).Said
				if kept := got.Created == before.Created; kept != (test.want.External == "ann") || before.Created == 0 {
					s.Errorf("created at %d, before at %d", got.Created, before.Created)
				}
				got.Created, got.Updated = 0, 0
				if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", test.want); a != b {
					s.Errorf("said is\n%s, want\n%s", a, b)
				}
			})
		})
	}
}

// TestOwners: staff is told whose sessions are, in their order, and of contacts only
// those whom somebody vouched for.
func TestOwners(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		bea, gone := s.bare(), s.bare()
		s.want("introduction", s.store.Introduce(ctx, bea, parley.Introduction{External: "bea", Name: "Bea"}), "")
		s.want("track", s.store.Track(ctx, bea, parley.Tracking{Timezone: "Europe/Oslo"}), "")
		ann := parleytest.Contact(s, s.store, s.visitor, "ann")
		s.opens(bea, "beas", "hello")
		s.opens(gone, "gones", "hello")
		anns := parleytest.Turn(s, s.store, ann, "m1", "")
		all := []*parley.Session{anns}
		for _, id := range []parley.SessionID{"beas", "gones"} {
			got, err := s.store.ReadSession(ctx, s.operator(), id, parley.PageRequest{Limit: 1})
			if err != nil {
				s.Fatal(err)
			}
			all = append(all, got.Session)
		}
		s.want("erase", s.store.EraseVisitor(ctx, s.operator(), gone.Visitor), "")
		got, err := s.store.Owners(ctx, s.operator(), all)
		if err != nil || len(got) != 3 {
			s.Fatalf("owners = %+v, %v", got, err)
		}
		if a := got[0]; a.Visitor.ID != ann.Visitor || a.Visitor.Created == 0 || a.Contact == nil || a.Contact.External != "ann" {
			s.Errorf("of a contact's session it is %+v", a)
		}
		if b := got[1]; b.Visitor.ID != bea.Visitor || b.Contact != nil || b.Said.Name != "Bea" || b.Known == "" || b.Tracking.Timezone != "Europe/Oslo" {
			s.Errorf("of a bare visitor's session it is %+v", b)
		}
		if c := got[2]; c.Visitor.ID != gone.Visitor || c.Contact != nil || c.Visitor.Created != 0 {
			s.Errorf("of one who is gone it is %+v", c)
		}
		_, err = s.store.Owners(ctx, s.visitor, all)
		s.want("a visitor asks", err, "operators_only")
	})
}

// TestNoteIdentifiedIsRefused: a session is told who its visitor is where a message
// could be written, under an id that is the session's alone.
func TestNoteIdentifiedIsRefused(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx, c := context.Background(), s.bare()
		s.opens(c, "one", "hello")
		s.opens(c, "spam", "hello")
		s.want("marking spam", s.store.MarkSpam(ctx, s.operator(), "spam", human("Ola")), "")
		for _, note := range []struct {
			session parley.SessionID
			id      parley.EntryID
			code    string
		}{
			{"one", "a\x00", "invalid_field"},
			{"one", "", "invalid_field"},
			{"nobody's", "n1", "not_found"},
			{"spam", "n2", "session_closed"},
			{"one", "first-spam", "message_id_conflict"},
			{"one", "n3", ""},
			{"one", "n3", ""},
		} {
			_, _, err := s.store.NoteIdentified(ctx, c, note.session, note.id)
			s.want(fmt.Sprintf("%q in %s", note.id, note.session), err, note.code)
		}
		if n := s.events("one", parley.EventIdentified) + s.events("spam", parley.EventIdentified); n != 1 {
			s.Errorf("told %d times, want once", n)
		}
	})
}
