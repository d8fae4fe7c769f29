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
	"parley/shared/table"
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
		{"type with a parameter", "invalid_field", "uploads", func(p *parley.Project) { p.Uploads.Types = []string{"text/plain; charset=utf-8"} }},
		{"type in capitals", "invalid_field", "uploads", func(p *parley.Project) { p.Uploads.Types = []string{"Image/PNG"} }},
		{"long type", "invalid_field", "uploads", func(p *parley.Project) { p.Uploads.Types = []string{"a/" + long(parley.MaxNameBytes-1)} }},
		{"articles on no host", "invalid_field", "agents", func(p *parley.Project) { p.Agents[0].ArticlesURL = "https:///docs/" }},
		{"long word of the widget", "too_large", "widget", func(p *parley.Project) { p.Widget.Title = long(parley.MaxNameBytes + 1) }},
		{"long description of a mode", "too_large", "modes", func(p *parley.Project) {
			p.Modes = []parley.Mode{{ID: "a", Name: "A", Description: long(parley.MaxDescriptionBytes + 1)}}
		}},
		{"mode without a name", "invalid_field", "modes", func(p *parley.Project) { p.Modes = []parley.Mode{{ID: "a"}} }},
		{"sender of mails in two lines", "invalid_field", "reply_mail", func(p *parley.Project) {
			p.ReplyMail = parley.ReplyMail{Name: "a\nb", Page: "https://shop.example/"}
		}},
		{"answers to no address", "invalid_field", "reply_mail", func(p *parley.Project) {
			p.ReplyMail = parley.ReplyMail{ReplyTo: "nobody", Page: "https://shop.example/"}
		}},
		{"long page of mails", "too_large", "reply_mail", func(p *parley.Project) {
			p.ReplyMail.Page = "https://shop.example/" + long(parley.MaxPageBytes)
		}},
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

// TestSettingsAtTheirLimits: a project may have as much of everything as the limits say.
func TestSettingsAtTheirLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	onBolt(t, func(s scene) {
		p := generous()
		p.Name, p.Greeting, p.Language = long(parley.MaxNameBytes), long(parley.MaxTextBytes), long(parley.MaxLanguageBytes)
		for n := range parley.MaxOrigins {
			p.Origins = append(p.Origins[:n], fmt.Sprintf("https://%d.example", n))
		}
		p.Origins[0] = "https://" + long(parley.MaxOriginBytes-len("https://"))
		for n := range parley.MaxPublicKeys {
			p.PublicKeys = append(p.PublicKeys[:n], fmt.Sprint("pk_test_", n))
		}
		for n := range parley.MaxSigningKeys {
			p.SigningKeys = append(p.SigningKeys, fmt.Sprint("k", n))
		}
		for n := range parley.MaxAgents {
			p.Agents = append(p.Agents[:n], parley.AgentSettings{ID: parley.AgentID(fmt.Sprint("agent", n))})
		}
		articles := "http://shop.example/"
		p.Agents[0] = parley.AgentSettings{ID: "first", Name: long(parley.MaxNameBytes), Instructions: long(parley.MaxInstructionsBytes),
			MaxTokens: parley.MaxReplyTokens, ArticlesURL: articles + long(parley.MaxPageBytes-len(articles))}
		for n := range parley.MaxModes {
			p.Modes = append(p.Modes, parley.Mode{ID: fmt.Sprint("mode", n), Name: "A mode"})
		}
		p.Modes[0].Name, p.Modes[0].Description = long(parley.MaxNameBytes), long(parley.MaxDescriptionBytes)
		p.Texts = map[string]string{}
		for n := range parley.MaxTexts {
			p.Texts[fmt.Sprint("text", n)] = "any"
		}
		p.Texts["text1"] = long(parley.MaxTextBytes)
		p.Uploads.MaxBytes = parley.MaxUploadBytes
		for n := range parley.MaxUploadTypes {
			p.Uploads.Types = append(p.Uploads.Types, fmt.Sprint("image/", n))
		}
		p.Uploads.Types[0] = "image/" + long(parley.MaxNameBytes-len("image/"))
		p.Widget.Title = long(parley.MaxNameBytes)
		p.SettleSeconds, p.IdleCloseSeconds, p.PollSeconds, p.Budgets.ProjectTokens = parley.MaxSettleSeconds, parley.MaxIdleSeconds, parley.MaxPollSeconds, parley.MaxBudget
		s.want("as much as may be", s.store.PutProject(context.Background(), p), "")
	})
}

// TestSettingsPutByHand: settings that have no revision yet are replaced as revision 0,
// by one of those who read them.
func TestSettingsPutByHand(t *testing.T) {
	onBoth(t, func(s scene) {
		ctx := context.Background()
		item := s.table.Dump(s)[table.Key{PK: "demo/project", SK: "-"}]
		delete(item, "rev")
		s.want("put by hand", s.table.Write(ctx, table.Put(item)), "")
		read, err := s.store.Settings(ctx, "demo")
		if err != nil || read.Revision != 0 {
			s.Fatalf("read = %+v, %v", read, err)
		}
		slow := s.over(&meanwhile{Table: s.table, sk: "-", do: func() {
			put, err := s.store.ReplaceProject(ctx, read.Project, 0)
			if err != nil || put.Revision != 1 {
				s.Errorf("replaced = %d, %v, want the revision 1", put.Revision, err)
			}
		}})
		_, err = slow.ReplaceProject(ctx, read.Project, 0)
		s.want("by who was slower", err, "revision_conflict")
		if read, err = s.store.Settings(ctx, "demo"); err != nil || read.Revision != 1 {
			s.Errorf("revision = %d, %v, want 1", read.Revision, err)
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
		finds("no key", "", "unknown_key")
		s.want("remove the last key", s.store.RemovePublicKey(ctx, "demo", "pk_test_demo"), "invalid_field")
		key, _, err := s.store.AddPublicKey(ctx, "demo", false)
		if err != nil || !strings.HasPrefix(key, "pk_live_") {
			s.Fatalf("key = %q, %v", key, err)
		}
		_, err = s.store.ProjectByKey(ctx, key)
		s.want("the new key where it was made", err, "")
		second, _, err := elsewhere.AddPublicKey(ctx, "demo", true)
		if err != nil || !strings.HasPrefix(second, "pk_test_") || len(second) != len(key) {
			s.Fatalf("key = %q, %v", second, err)
		}
		_, err = s.store.ProjectByKey(ctx, second)
		s.want("a key that the settings in the cache do not know", err, "unknown_key")
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
