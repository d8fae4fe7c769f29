package parley_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestTitle: a session is called after the visitor's first message that has text.
func TestTitle(t *testing.T) {
	for text, want := range map[string]string{
		"Where is my order?":               "Where is my order?",
		"  Two  lines\nand the second one": "Two lines",
		"I ordered three pairs of shoes last week and only two of them came": "I ordered three pairs of shoes last week and only two of…",
		strings.Repeat("x", 100): strings.Repeat("x", 57) + "…",
	} {
		onBolt(t, func(s scene) {
			r := say("m", "")
			r.Content = text
			sent := s.send(r)
			s.reply(sent.Claim, "An answer")
			s.send(say("m2", sent.Session.ID))
			if got := s.session(sent.Session.ID).Title; got != want || len(got) > 60 {
				s.Errorf("the title of %q is %q, want %q", text, got, want)
			}
		})
	}
}

// TestAttributes: they replace those before and leave the rest of what is known.
func TestAttributes(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		r := say("m", "")
		r.Metadata = map[string]string{"color": "red"}
		id := s.send(r).Session.ID
		read := func() parley.About {
			d, err := s.store.ReadSession(ctx, s.operator(), id, parley.PageRequest{})
			if err != nil {
				s.Fatal(err)
			}
			return d.About
		}
		for _, attributes := range []map[string]string{{"plan": "gold", "city": "Bern"}, {"plan": "free"}, {}} {
			s.want("set", s.store.SetAttributes(ctx, server, id, attributes), "")
			if got := read(); !maps.Equal(got.Attributes, attributes) || got.Metadata["color"] != "red" {
				s.Errorf("about = %+v, want attributes %v beside the metadata", got, attributes)
			}
		}
		s.unchanged("refused", func() {
			s.want("by the visitor", s.store.SetAttributes(ctx, s.visitor, id, map[string]string{"plan": "gold"}), "operators_only")
			s.want("too long", s.store.SetAttributes(ctx, server, id, map[string]string{"k": strings.Repeat("v", 501)}), "too_large")
			s.want("unknown", s.store.SetAttributes(ctx, server, "nothing", nil), "not_found")
		})
	})
}

// TestHandoverReason: operators read why a person was asked for.
func TestHandoverReason(t *testing.T) {
	onBolt(t, func(s scene) {
		claim := s.send(say("m", "")).Claim
		_, err := s.store.EndRun(context.Background(), claim.Ref, nil, parley.End{Next: claim.Next, Of: claim.First.Of, Status: parley.StatusDone,
			Text: "One moment.", Unflushed: "One moment.", Truncated: true, Handover: true, HandoverReason: "A refund" + strings.Repeat("!", 600)})
		if err != nil {
			s.Fatal(err)
		}
		entries := parleytest.Entries(s, s.store, s.operator(), claim.Ref.Session)
		if e := entries[2]; e.Event != parley.EventHandedOver || !strings.HasPrefix(e.Reason, "A refund!") || len(e.Reason) != parley.MaxReasonBytes {
			s.Errorf("the handover is %+v", e)
		}
		if !entries[1].Truncated {
			s.Error("that the reply was cut is forgotten")
		}
	})
}

// TestTags: a session has the tags of its newest review.
func TestTags(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		id := s.turn("m").ID
		tags := func() []string {
			d, err := s.store.ReadSession(ctx, s.operator(), id, parley.PageRequest{})
			if err != nil {
				s.Fatal(err)
			}
			return d.Tags
		}
		if got := tags(); len(got) > 0 {
			s.Errorf("tags %q before a review", got)
		}
		for n, want := range [][]string{{"refund"}, {"praise", "bug"}} {
			s.want("review", s.store.PutReview(ctx, "demo", id, parley.Review{Close: n + 1, Tags: want}), "")
			if got := tags(); !slices.Equal(got, want) {
				s.Errorf("tags %q, want %q", got, want)
			}
		}
	})
}
