package parley_test

import (
	"context"
	"testing"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestVoidTokens: a link of a mail is void with the tokens, and a new one is not; and
// no way of storing settings makes void tokens valid again.
func TestVoidTokens(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		ann := parleytest.Contact(s, s.store, s.visitor, "ann")
		session := parleytest.Turn(s, s.store, ann, "m1", "")
		before, err := s.store.PutLink(ctx, session, session.Seq)
		s.want("link", err, "")
		stands, err := s.store.VoidTokens(ctx, "demo")
		if err != nil || stands.Project.TokenGeneration != 1 {
			s.Fatalf("void = %+v, %v", stands, err)
		}
		s.unchanged("a void link", func() {
			_, _, err = s.store.OpenLink(ctx, "demo", before)
			s.want("a link from before", err, "token_revoked")
		})
		session = parleytest.Turn(s, s.store, ann, "m2", session.ID)
		after, err := s.store.PutLink(ctx, session, session.Seq)
		s.want("link", err, "")
		_, _, err = s.store.OpenLink(ctx, "demo", after)
		s.want("a link from after", err, "")

		stands, err = s.store.VoidTokens(ctx, "demo")
		s.want("void again", err, "")
		old := generous()
		replaced, err := s.store.ReplaceProject(ctx, old, stands.Revision)
		if err != nil || replaced.Project.TokenGeneration != 2 {
			s.Errorf("replaced = %d, %v, want the generation 2", replaced.Project.TokenGeneration, err)
		}
		parleytest.Put(s, s.store, old)
		high := generous()
		high.TokenGeneration = 7
		if replaced, err = s.store.ReplaceProject(ctx, high, replaced.Revision+1); err != nil || replaced.Project.TokenGeneration != 2 {
			s.Errorf("replaced = %d, %v, want the generation 2", replaced.Project.TokenGeneration, err)
		}
		if stands, err = s.store.Settings(ctx, "demo"); err != nil || stands.Project.TokenGeneration != 2 {
			s.Errorf("stands = %d, %v, want the generation 2", stands.Project.TokenGeneration, err)
		}
		_, err = s.store.VoidTokens(ctx, "nobody")
		s.want("of nobody", err, "not_found")
	})
}

// TestProjectTokenSettings: what a project may say of lives and ages.
func TestProjectTokenSettings(t *testing.T) {
	onBolt(t, func(s scene) {
		for _, test := range []struct {
			identity, days int
			code           string
		}{
			{0, 0, ""}, {300, 30, ""}, {parley.MaxIdentitySeconds, parley.MaxTokenDays, ""},
			{-1, 0, "invalid_field"}, {parley.MaxIdentitySeconds + 1, 0, "invalid_field"},
			{0, -1, "invalid_field"}, {0, parley.MaxTokenDays + 1, "invalid_field"},
		} {
			p := generous()
			p.IdentitySeconds, p.TokenDays = test.identity, test.days
			s.want("settings", s.store.PutProject(context.Background(), p), test.code)
		}
	})
}
