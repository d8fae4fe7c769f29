package parley

import (
	"cmp"
	"math"
	"mime"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Limits of a project's settings. Our choices; together they keep a project far
// below DynamoDB's item of 400 KB.
const (
	// MaxPublicKeys and MaxSigningKeys are how many of each work at a time.
	MaxPublicKeys  = 20
	MaxSigningKeys = 20
	// MaxOrigins is how many entries the list of websites has, MaxOriginBytes the longest.
	MaxOrigins     = 100
	MaxOriginBytes = 300
	// MaxAgents is how many AI agents a project has, MaxModes how many modes.
	MaxAgents = 20
	MaxModes  = 20
	// MaxInstructionsBytes is the longest text of instructions.
	MaxInstructionsBytes = 16 << 10
	// MaxReplyTokens is the highest cap of one reply.
	MaxReplyTokens = 32_000
	// MaxTexts is how many sentences a project words itself, MaxTextBytes the
	// longest, and the longest greeting.
	MaxTexts     = 200
	MaxTextBytes = 2000
	// MaxUploadBytes is the largest file that a project may take, in bytes.
	MaxUploadBytes = 100 << 20
	// MaxUploadTypes is how many media types it may name.
	MaxUploadTypes = 50
	// MaxSettleSeconds is the longest grace period of a close, MaxIdleSeconds the
	// longest silence before something is done about it.
	MaxSettleSeconds = 3600
	MaxIdleSeconds   = 30 * 86400
	// MaxPollSeconds is how seldom pages may be told to ask for news.
	MaxPollSeconds = 3600
	// MaxBudget is the highest budget or rate.
	MaxBudget = 1_000_000_000_000
)

// check returns an invalid_field or too_large error unless the project can be stored.
func (p *Project) check() error {
	for _, check := range []func() error{p.checkKeys, p.checkAgents, p.checkWords, p.checkNumbers, p.checkUploads, p.checkModes, p.checkActions,
		p.Widget.check, p.Challenge.check, p.Reviews.check, p.Notify.check, p.ReplyMail.check} {
		if err := check(); err != nil {
			return err
		}
	}
	return checkHooks(p.Hooks)
}

// pattern is a regular expression that is compiled when it is first needed: these
// take a tenth of the time in which a function starts.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

var (
	projectIDs = pattern(`^[a-z0-9]{1,32}$`)
	originForm = pattern(`^(\*|([a-z][a-z0-9+.-]*://)?(\*\.)?([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?/?)$`)
)

func (p *Project) checkKeys() error {
	switch {
	case !projectIDs().MatchString(string(p.ID)):
		return invalid("id", "a project id is 1 to 32 lower-case letters and digits")
	case len(p.PublicKeys) == 0:
		return invalid("public_keys", "a project needs a public key")
	case len(p.Origins) > MaxOrigins:
		return invalid("origins", "a project lists at most %d origins", MaxOrigins)
	}
	for _, o := range p.Origins {
		if len(o) > MaxOriginBytes {
			return tooLarge("origins", MaxOriginBytes)
		}
		if !originForm().MatchString(o) {
			return invalid("origins", `an origin is like "https://example.com", "*.example.com" or "*", without a path`)
		}
	}
	for _, key := range p.PublicKeys {
		if strings.HasPrefix(key, "sk_") || strings.HasPrefix(key, "ss_") {
			return invalid("public_keys", "this is a secret, and public keys stand in pages")
		}
	}
	if err := checkIDs("public_keys", p.PublicKeys, MaxPublicKeys); err != nil {
		return err
	}
	return checkIDs("signing_keys", p.SigningKeys, MaxSigningKeys)
}

// checkIDs wants at most so many ids, each once.
func checkIDs(field string, ids []string, most int) error {
	if len(ids) > most {
		return invalid(field, "%s has at most %d entries", field, most)
	}
	for i, id := range ids {
		if err := CheckID(field, id); err != nil {
			return err
		}
		if slices.Contains(ids[:i], id) {
			return invalid(field, "%s has an entry twice", field)
		}
	}
	return nil
}

func (p *Project) checkAgents() error {
	if len(p.Agents) > MaxAgents {
		return invalid("agents", "a project has at most %d agents", MaxAgents)
	}
	if !slices.ContainsFunc(p.Agents, func(a AgentSettings) bool { return !a.Disabled }) {
		return invalid("agents", "a project needs an agent that answers")
	}
	ids := make([]string, len(p.Agents))
	for i, a := range p.Agents {
		ids[i] = string(a.ID)
		if err := a.check(); err != nil {
			return err
		}
	}
	if err := checkIDs("agents", ids, MaxAgents); err != nil {
		return err
	}
	modes := make([]string, len(p.Modes))
	for i, m := range p.Modes {
		modes[i] = m.ID
		if err := checkSettingTexts("modes", sized{m.Name, MaxNameBytes}, sized{m.Slug, MaxNameBytes}, sized{m.Instructions, MaxInstructionsBytes}); err != nil {
			return err
		}
	}
	return checkIDs("modes", modes, MaxModes)
}

// isWebAddress reports whether a text is an absolute address that browsers open.
func isWebAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func (a AgentSettings) check() error {
	if err := checkSettingTexts("agents", sized{a.Name, MaxNameBytes}, sized{a.Picture, MaxPageBytes}, sized{a.Model, MaxPageBytes},
		sized{a.ArticlesURL, MaxPageBytes}, sized{a.Instructions, MaxInstructionsBytes}); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]string{"", "docs", "openai", "bedrock"}, a.Provider):
		return invalid("agents", "provider is docs, openai or bedrock")
	case a.ArticlesURL != "" && !isWebAddress(a.ArticlesURL):
		return invalid("agents", "articles_url is an address such as https://example.com/help/")
	case a.MaxTokens < 0 || a.MaxTokens > MaxReplyTokens:
		return invalid("agents", "max_tokens is 0 to %d", MaxReplyTokens)
	}
	return nil
}

// sized is a text with its limit in bytes.
type sized struct {
	text string
	most int
}

// checkSettingTexts checks texts of a project's settings. They are few, and may be full of
// what has to be escaped.
func checkSettingTexts(field string, texts ...sized) error {
	for _, t := range texts {
		if len(t.text) > t.most {
			return tooLarge(field, t.most)
		}
		if !utf8.ValidString(t.text) {
			return invalid(field, "%s is not UTF-8", field)
		}
	}
	return nil
}

func (p *Project) checkWords() error {
	if len(p.Texts) > MaxTexts {
		return invalid("texts", "a project has at most %d texts", MaxTexts)
	}
	for key, text := range p.Texts {
		if err := checkSettingTexts("texts", sized{key, MaxIDBytes}, sized{text, MaxTextBytes}); err != nil {
			return err
		}
	}
	if err := cmp.Or(checkSettingTexts("name", sized{p.Name, MaxNameBytes}), checkSettingTexts("greeting", sized{p.Greeting, MaxTextBytes}),
		checkSettingTexts("language", sized{p.Language, MaxLanguageBytes})); err != nil {
		return err
	}
	if !slices.Contains([]CSATPolicy{"", CSATOff, "on_close", "not_after_idle", "skip_if_rated"}, p.CSAT) {
		return invalid("csat", "csat is off, on_close, not_after_idle, skip_if_rated, or empty")
	}
	return nil
}

func (p *Project) checkNumbers() error {
	b := p.Budgets
	for _, n := range []struct {
		field string
		value int64
		most  int64
	}{
		{"inbox_shards", int64(p.InboxShards), dueShards},
		{"settle_seconds", int64(p.SettleSeconds), MaxSettleSeconds},
		{"identity_seconds", int64(p.IdentitySeconds), MaxIdentitySeconds},
		{"token_days", int64(p.TokenDays), MaxTokenDays},
		{"token_generation", p.TokenGeneration, math.MaxInt64},
		{"idle_prompt_seconds", int64(p.IdlePromptSeconds), MaxIdleSeconds},
		{"idle_close_seconds", int64(p.IdleCloseSeconds), MaxIdleSeconds},
		{"unanswered_close_seconds", int64(p.UnansweredCloseSeconds), MaxIdleSeconds},
		{"poll_seconds", int64(p.PollSeconds), MaxPollSeconds},
		{"poll_list_seconds", int64(p.PollListSeconds), MaxPollSeconds},
		{"visitor_tokens", b.VisitorTokens, MaxBudget}, {"address_tokens", b.AddressTokens, MaxBudget},
		{"project_tokens", b.ProjectTokens, MaxBudget}, {"identify_per_hour", b.IdentifyPerHour, MaxBudget},
		{"uploads_per_hour", b.UploadsPerHour, MaxBudget}, {"messages_per_minute", b.MessagesPerMinute, MaxBudget},
		{"visitor_messages", b.VisitorMessages, MaxBudget}, {"address_messages", b.AddressMessages, MaxBudget},
		{"project_messages", b.ProjectMessages, MaxBudget}, {"visitor_bytes", b.VisitorBytes, MaxBudget},
		{"address_bytes", b.AddressBytes, MaxBudget}, {"project_bytes", b.ProjectBytes, MaxBudget},
		{"calls_per_minute", b.CallsPerMinute, MaxBudget}, {"address_uploads", b.AddressUploads, MaxBudget}, {"address_upload_bytes", b.AddressUploadBytes, MaxBudget},
	} {
		if n.value < 0 || n.value > n.most {
			return invalid(n.field, "%s is 0 to %d", n.field, n.most)
		}
	}
	return nil
}

func (p *Project) checkUploads() error {
	u := p.Uploads
	switch {
	case u.MaxBytes < 0 || u.MaxBytes > MaxUploadBytes:
		return invalid("uploads", "max_bytes is 0 to %d", MaxUploadBytes)
	case len(u.Types) > MaxUploadTypes:
		return invalid("uploads", "types has at most %d entries", MaxUploadTypes)
	}
	for _, t := range u.Types {
		parsed, parameters, err := mime.ParseMediaType(t)
		if err != nil || len(parameters) > 0 || parsed != t || !strings.Contains(t, "/") || len(t) > MaxNameBytes {
			return invalid("uploads", "types are media types such as image/png, in lower case")
		}
	}
	return u.checkExtensions()
}

func (w WidgetSettings) check() error {
	for _, field := range []string{w.Title, w.Trigger, w.Display, w.Theme, w.Position, w.Shortcut, w.Badge} {
		if len(field) > MaxNameBytes {
			return tooLarge("widget", MaxNameBytes)
		}
	}
	return nil
}
