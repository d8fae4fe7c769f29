package parley_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestProjectLimits: every setting has a limit, and what breaks one changes nothing.
func TestProjectLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	agents := func(n int) (all []parley.AgentSettings) {
		for i := range n {
			all = append(all, parley.AgentSettings{ID: parley.AgentID(fmt.Sprint(i))})
		}
		return all
	}
	many := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprint("e", i))
		}
		return all
	}
	texts := map[string]string{}
	for _, key := range many(parley.MaxTexts + 1) {
		texts[key] = "any"
	}
	tests := []struct {
		name, code, field string
		change            func(*parley.Project)
	}{
		{"no id", "invalid_field", "id", func(p *parley.Project) { p.ID = "" }},
		{"id with a capital", "invalid_field", "id", func(p *parley.Project) { p.ID = "Shop" }},
		{"long id", "invalid_field", "id", func(p *parley.Project) { p.ID = parley.ProjectID(long(33)) }},
		{"no public key", "invalid_field", "public_keys", func(p *parley.Project) { p.PublicKeys = nil }},
		{"public keys", "invalid_field", "public_keys", func(p *parley.Project) { p.PublicKeys = many(parley.MaxPublicKeys + 1) }},
		{"public key twice", "invalid_field", "public_keys", func(p *parley.Project) { p.PublicKeys = []string{"a", "a"} }},
		{"empty public key", "invalid_field", "public_keys", func(p *parley.Project) { p.PublicKeys = []string{""} }},
		{"private public key", "invalid_field", "public_keys", func(p *parley.Project) { p.PublicKeys = []string{"sk_live_x"} }},
		{"signing keys", "invalid_field", "signing_keys", func(p *parley.Project) { p.SigningKeys = many(parley.MaxSigningKeys + 1) }},
		{"long signing key", "too_large", "signing_keys", func(p *parley.Project) { p.SigningKeys = []string{long(129)} }},
		{"origins", "invalid_field", "origins", func(p *parley.Project) { p.Origins = many(parley.MaxOrigins + 1) }},
		{"long origin", "too_large", "origins", func(p *parley.Project) { p.Origins = []string{long(parley.MaxOriginBytes + 1)} }},
		{"origin with a path", "invalid_field", "origins", func(p *parley.Project) { p.Origins = []string{"https://shop.example/chat"} }},
		{"origin with a space", "invalid_field", "origins", func(p *parley.Project) { p.Origins = []string{"shop example"} }},
		{"star in the middle", "invalid_field", "origins", func(p *parley.Project) { p.Origins = []string{"https://a.*.example"} }},
		{"agents", "invalid_field", "agents", func(p *parley.Project) { p.Agents = agents(parley.MaxAgents + 1) }},
		{"no agent that answers", "invalid_field", "agents", func(p *parley.Project) { p.Agents[0].Disabled = true }},
		{"agent twice", "invalid_field", "agents", func(p *parley.Project) { p.Agents = append(p.Agents, p.Agents[0]) }},
		{"agent without an id", "invalid_field", "agents", func(p *parley.Project) { p.Agents[0].ID = "" }},
		{"instructions", "too_large", "agents", func(p *parley.Project) { p.Agents[0].Instructions = long(parley.MaxInstructionsBytes + 1) }},
		{"provider", "invalid_field", "agents", func(p *parley.Project) { p.Agents[0].Provider = "parrot" }},
		{"endless replies", "invalid_field", "agents", func(p *parley.Project) { p.Agents[0].MaxTokens = parley.MaxReplyTokens + 1 }},
		{"articles on no site", "invalid_field", "agents", func(p *parley.Project) { p.Agents[0].ArticlesURL = "/docs/" }},
		{"articles by script", "invalid_field", "agents", func(p *parley.Project) { p.Agents[0].ArticlesURL = "javascript://shop.example/%0aalert(1)" }},
		{"articles far away", "too_large", "agents", func(p *parley.Project) {
			p.Agents[0].ArticlesURL = "https://shop.example/" + long(parley.MaxPageBytes)
		}},
		{"modes", "invalid_field", "modes", func(p *parley.Project) { p.Modes = []parley.Mode{{ID: "a"}, {ID: "a"}} }},
		{"long mode", "too_large", "modes", func(p *parley.Project) {
			p.Modes = []parley.Mode{{ID: "a", Instructions: long(parley.MaxInstructionsBytes + 1)}}
		}},
		{"texts", "invalid_field", "texts", func(p *parley.Project) { p.Texts = texts }},
		{"long text", "too_large", "texts", func(p *parley.Project) { p.Texts = map[string]string{"a": long(parley.MaxTextBytes + 1)} }},
		{"greeting", "too_large", "greeting", func(p *parley.Project) { p.Greeting = long(parley.MaxTextBytes + 1) }},
		{"greeting of bytes", "invalid_field", "greeting", func(p *parley.Project) { p.Greeting = "\xff" }},
		{"name", "too_large", "name", func(p *parley.Project) { p.Name = long(parley.MaxNameBytes + 1) }},
		{"language", "too_large", "language", func(p *parley.Project) { p.Language = long(parley.MaxLanguageBytes + 1) }},
		{"CSAT", "invalid_field", "csat", func(p *parley.Project) { p.CSAT = "often" }},
		{"shards", "invalid_field", "inbox_shards", func(p *parley.Project) { p.InboxShards = 5 }},
		{"fewer shards", "invalid_field", "inbox_shards", func(p *parley.Project) { p.InboxShards = 1 }},
		{"grace period", "invalid_field", "settle_seconds", func(p *parley.Project) { p.SettleSeconds = parley.MaxSettleSeconds + 1 }},
		{"idle prompt", "invalid_field", "idle_prompt_seconds", func(p *parley.Project) { p.IdlePromptSeconds = -1 }},
		{"idle close", "invalid_field", "idle_close_seconds", func(p *parley.Project) { p.IdleCloseSeconds = parley.MaxIdleSeconds + 1 }},
		{"polls", "invalid_field", "poll_seconds", func(p *parley.Project) { p.PollSeconds = parley.MaxPollSeconds + 1 }},
		{"polls of lists", "invalid_field", "poll_list_seconds", func(p *parley.Project) { p.PollListSeconds = -1 }},
		{"unanswered close", "invalid_field", "unanswered_close_seconds", func(p *parley.Project) { p.UnansweredCloseSeconds = parley.MaxIdleSeconds + 1 }},
		{"budget", "invalid_field", "visitor_tokens", func(p *parley.Project) { p.Budgets.VisitorTokens = parley.MaxBudget + 1 }},
		{"rate", "invalid_field", "messages_per_minute", func(p *parley.Project) { p.Budgets.MessagesPerMinute = -1 }},
		{"review tags", "invalid_field", "reviews", func(p *parley.Project) { p.Reviews.Tags = many(parley.MaxReviewTags + 1) }},
		{"long review tag", "invalid_field", "reviews", func(p *parley.Project) { p.Reviews.Tags = []string{long(parley.MaxReviewTagBytes + 1)} }},
		{"empty review tag", "invalid_field", "reviews", func(p *parley.Project) { p.Reviews.Tags = []string{""} }},
		{"review tag twice", "invalid_field", "reviews", func(p *parley.Project) { p.Reviews.Tags = []string{"a", "a"} }},
		{"uploads", "invalid_field", "uploads", func(p *parley.Project) { p.Uploads.MaxBytes = parley.MaxUploadBytes + 1 }},
		{"type", "invalid_field", "uploads", func(p *parley.Project) { p.Uploads.Types = []string{"png"} }},
		{"types", "invalid_field", "uploads", func(p *parley.Project) { p.Uploads.Types = many(parley.MaxUploadTypes + 1) }},
	}
	onBolt(t, func(s scene) {
		ctx := context.Background()
		good := generous()
		good.InboxShards = 2
		good.Origins = []string{"*", "https://shop.example", "http://localhost:3000", "*.shop.example", "app://shop", "https://shop.example/", "http://[::1]:80"}
		good.Uploads.Types = []string{"image/png", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
		parleytest.Put(s, s.store, good)
		settings, err := s.store.Settings(ctx, "demo")
		if err != nil {
			s.Fatal(err)
		}
		for _, test := range tests {
			p := settings.Project
			p.Agents = slices.Clone(p.Agents)
			test.change(&p)
			s.unchanged(test.name, func() {
				err := s.store.PutProject(ctx, p)
				s.want(test.name, err, test.code)
				if field := err.(*parley.Error).Field; field != test.field {
					s.Errorf("%s: field %q, want %q", test.name, field, test.field)
				}
			})
		}
	})
}

func TestSettingsHaveRevisions(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		settings, err := s.store.Settings(ctx, "demo")
		if err != nil {
			s.Fatal(err)
		}
		p := settings.Project
		p.Greeting = "Hello"
		next, err := s.store.ReplaceProject(ctx, p, settings.Revision)
		if err != nil || next.Revision != settings.Revision+1 {
			s.Fatalf("replaced = %+v, %v", next, err)
		}
		p.Greeting = "Goodbye"
		s.unchanged("settings on what was read before", func() {
			_, err := s.store.ReplaceProject(ctx, p, settings.Revision)
			s.want("settings on what was read before", err, "revision_conflict")
			_, err = s.store.ReplaceProject(ctx, p, settings.Revision+5)
			s.want("settings of the future", err, "revision_conflict")
		})
		if got, err := s.store.Settings(ctx, "demo"); err != nil || got.Project.Greeting != "Hello" || got.Revision != next.Revision {
			s.Errorf("settings = %+v, %v", got, err)
		}
		p.ID = "nothing"
		_, err = s.store.ReplaceProject(ctx, p, 1)
		s.want("settings of no project", err, "not_found")
		s.want("a project that is there", s.store.CreateProject(ctx, generous()), "project_taken")
		other := parley.Project{ID: "other", PublicKeys: []string{"pk_other"}, Agents: []parley.AgentSettings{{ID: "guide"}}}
		s.want("another project", s.store.CreateProject(ctx, other), "")
		other.ID, other.PublicKeys = "third", []string{"pk_third", "pk_other"}
		s.unchanged("a project with another's key", func() {
			s.want("a project with another's key", s.store.CreateProject(ctx, other), "key_taken")
		})
	})
}

// TestKeysRotate: a key works beside the other until that is taken away, in
// every process within half a minute.
func TestKeysRotate(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		elsewhere := s.over(s.table)
		finds := func(what, key, code string) {
			s.Helper()
			for _, store := range []*parley.Store{s.store, elsewhere} {
				_, err := store.ProjectByKey(ctx, key)
				s.want(what, err, code)
			}
		}
		finds("the first key", "pk_test_demo", "")
		s.want("remove the last key", s.store.RemovePublicKey(ctx, "demo", "pk_test_demo"), "invalid_field")
		key, _, err := s.store.AddPublicKey(ctx, "demo", false)
		if err != nil || !strings.HasPrefix(key, "pk_live_") {
			s.Fatalf("key = %q, %v", key, err)
		}
		await(31 * time.Second)
		finds("the new key", key, "")
		finds("the old key", "pk_test_demo", "")
		s.want("remove the old one", s.store.RemovePublicKey(ctx, "demo", "pk_test_demo"), "")
		s.want("remove it again", s.store.RemovePublicKey(ctx, "demo", "pk_test_demo"), "not_found")
		await(31 * time.Second)
		finds("the key that was removed", "pk_test_demo", "unknown_key")
		finds("the key that stays", key, "")

		kid, settings, err := s.store.AddSigningKey(ctx, "demo")
		if err != nil || !slices.Contains(settings.Project.SigningKeys, kid) {
			s.Errorf("signing key %q of %v, %v", kid, settings.Project.SigningKeys, err)
		}
		s.want("remove the signing key", s.store.RemoveSigningKey(ctx, "demo", kid), "")
		s.want("remove it again", s.store.RemoveSigningKey(ctx, "demo", kid), "not_found")
	})
}

// TestSettingsAtOnce: no change is lost.
func TestSettingsAtOnce(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if _, _, err := s.store.AddPublicKey(ctx, "demo", true); err != nil {
					s.Errorf("key = %v", err)
				}
			})
		}
		all.Wait()
		settings, err := s.store.Settings(ctx, "demo")
		if err != nil || len(settings.Project.PublicKeys) != 7 {
			s.Fatalf("keys = %v, %v", settings.Project.PublicKeys, err)
		}
		for _, key := range settings.Project.PublicKeys {
			_, err := s.store.ProjectByKey(ctx, key)
			s.want(key, err, "")
		}
	})
}
