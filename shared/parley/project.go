package parley

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Project is a tenant: its keys, who may call, and how its sessions behave.
type Project struct {
	ID   ProjectID `json:"id"`
	Name string    `json:"name"`
	// PublicKeys are the keys that name the project in a page; "pk_test_…" ones
	// also work from localhost.
	PublicKeys []string `json:"public_keys"`
	// Origins may call from a browser: "https://example.com", "*.example.com" or
	// "*". An empty list refuses every origin in live mode.
	Origins []string `json:"origins,omitempty"`
	// Agents answer; the first that is not disabled is the default. At least one.
	Agents []AgentSettings `json:"agents"`
	// SigningKeys are the ids (kid) of the secrets with which the customer's
	// backend may sign identities; the secrets themselves are derived.
	SigningKeys []string `json:"signing_keys,omitempty"`
	// IdentitySeconds is the longest life of an identity that they sign; 0 means a day.
	IdentitySeconds int `json:"identity_seconds,omitempty"`
	// TokenDays is for how many days from the first a visitor's token is renewed; 0
	// means 400.
	TokenDays int `json:"token_days,omitempty"`
	// TokenGeneration is what a token must have at least; VoidTokens raises it, and
	// nothing lowers it.
	TokenGeneration int64 `json:"token_generation,omitempty"`
	// TokenRequired refuses visitors whom the customer's backend did not sign.
	TokenRequired bool `json:"token_required,omitempty"`
	// Challenge makes strangers solve one before they are let in.
	Challenge ChallengeSettings `json:"challenge,omitzero"`
	Greeting  string            `json:"greeting,omitempty"`
	// Widget is how a widget shows itself where it asks.
	Widget   WidgetSettings `json:"widget,omitzero"`
	Language string         `json:"language,omitempty"` // BCP 47; "" means "en"
	// Texts overrides the sentences that Parley itself says, by "key" or "key.language".
	Texts   map[string]string `json:"texts,omitempty"`
	Uploads UploadSettings    `json:"uploads"`
	CSAT    CSATPolicy        `json:"csat,omitempty"`
	// SettleSeconds is how long a close can be undone by a sign of the page; 0 means 30.
	SettleSeconds int `json:"settle_seconds,omitempty"`
	// IdlePromptSeconds and IdleCloseSeconds bound how long a session may be
	// silent before it is asked, and after that before it is closed; 0 means never, but
	// sessions of Hissuno's widget close after an hour then.
	IdlePromptSeconds int `json:"idle_prompt_seconds,omitempty"`
	IdleCloseSeconds  int `json:"idle_close_seconds,omitempty"`
	// UnansweredCloseSeconds is after how long a session ends in which a person was
	// asked for and none has written; 0 means never.
	UnansweredCloseSeconds int `json:"unanswered_close_seconds,omitempty"`
	// PollSeconds is how often pages that learn of news only by asking ask for an open
	// session, PollListSeconds for the list of their sessions; 0 leaves it to the
	// dialect.
	PollSeconds     int            `json:"poll_seconds,omitempty"`
	PollListSeconds int            `json:"poll_list_seconds,omitempty"`
	Reviews         ReviewSettings `json:"reviews,omitzero"`
	Budgets         Budgets        `json:"budgets"`
	// InboxShards spreads the inbox of a big project over this many index
	// partitions; 0 means 1. It may be raised, never lowered.
	InboxShards int `json:"inbox_shards,omitempty"`
	// Modes are the states of a conversation in which the agent follows other instructions.
	Modes []Mode `json:"modes,omitempty"`
	// Hooks are where webhooks go, at most MaxHooks; see PutHook.
	Hooks []Hook `json:"hooks,omitempty"`
	// Notify says how people learn that somebody waits for one of them.
	Notify NotifySettings `json:"notify,omitzero"`
	// ReplyMail says whether people's answers reach visitors who have left, by mail.
	ReplyMail ReplyMail `json:"reply_mail,omitzero"`
	// Actions are what the agents may have done by hosts of the customer's.
	Actions []Action `json:"actions,omitempty"`
}

// WidgetSettings are how a widget shows itself. "" leaves a field to the widget,
// or to what the dialect says by default.
type WidgetSettings struct {
	Title string `json:"title,omitempty"`
	// Trigger is what opens it, Display how it opens, Position where it stands;
	// the values are the widget's own.
	Trigger  string `json:"trigger,omitempty"`
	Display  string `json:"display,omitempty"`
	Theme    string `json:"theme,omitempty"`
	Position string `json:"position,omitempty"`
	// Shortcut is a key that opens it, Badge what stands on the badge that does.
	Shortcut string `json:"shortcut,omitempty"`
	Badge    string `json:"badge,omitempty"`
}

// AgentSettings is an AI agent of a project.
type AgentSettings struct {
	ID           AgentID `json:"id"`
	Name         string  `json:"name"`
	Picture      string  `json:"picture,omitempty"`
	Instructions string  `json:"instructions,omitempty"`
	// Provider chooses who generates: "docs", "openai", "bedrock"; "" is the deployment's default.
	Provider string `json:"provider,omitempty"`
	Model    string `json:"model,omitempty"`
	// ArticlesURL is where people can read the help articles that the agent answers
	// from, an absolute address; "" is the deployment's. Without either answers name
	// articles and do not link them.
	ArticlesURL string `json:"articles_url,omitempty"`
	// NoTools says that the model takes no tools: it can call no actions and enter no
	// modes, and says in its text what is to happen.
	NoTools bool `json:"no_tools,omitempty"`
	// MaxTokens caps one reply; 0 means 1,000.
	MaxTokens int `json:"max_tokens,omitempty"`
	// Disabled agents answer nothing new.
	Disabled bool `json:"disabled,omitempty"`
}

// UploadSettings says what visitors may attach.
type UploadSettings struct {
	Disabled bool `json:"disabled,omitempty"`
	// MaxBytes is the largest file; 0 means 10 MiB.
	MaxBytes int64 `json:"max_bytes,omitempty"`
	// Types are the allowed media types; empty means DefaultUploadTypes.
	Types []string `json:"types,omitempty"`
	// Extensions are endings of names, small and without the dot, that are taken
	// though a system may run such a file, or though they are another type's.
	Extensions []string `json:"extensions,omitempty"`
}

// CSATPolicy says when a rating is asked for: "" (whenever the visitor likes),
// "off", "on_close", "not_after_idle" or "skip_if_rated".
type CSATPolicy string

// Budgets bound what strangers can make a project spend. Zero means the default.
type Budgets struct {
	// VisitorTokens, AddressTokens and ProjectTokens are model tokens, in and out, in one
	// day of UTC. Defaults 200,000, 1,000,000 and 20,000,000.
	VisitorTokens int64 `json:"visitor_tokens,omitempty"`
	AddressTokens int64 `json:"address_tokens,omitempty"`
	ProjectTokens int64 `json:"project_tokens,omitempty"`
	// MessagesPerMinute is how often one visitor may send over a longer time; a
	// burst of 10 is always possible. Default 30.
	MessagesPerMinute int64 `json:"messages_per_minute,omitempty"`
	// IdentifyPerHour is how many visitors one address may become. Default 600.
	IdentifyPerHour int64 `json:"identify_per_hour,omitempty"`
	// UploadsPerHour is how many files one visitor may upload. Default 60.
	UploadsPerHour int64 `json:"uploads_per_hour,omitempty"`
	// VisitorMessages, AddressMessages and ProjectMessages are what visitors may
	// change in sessions in one day of UTC: messages, sessions begun, closes, votes,
	// checkpoints and ratings. Defaults 1,000, 10,000 and 200,000.
	VisitorMessages int64 `json:"visitor_messages,omitempty"`
	AddressMessages int64 `json:"address_messages,omitempty"`
	ProjectMessages int64 `json:"project_messages,omitempty"`
	// VisitorBytes, AddressBytes and ProjectBytes are how much of that may be stored
	// in one day of UTC. Defaults 4 MiB, 32 MiB and 1 GiB.
	VisitorBytes int64 `json:"visitor_bytes,omitempty"`
	AddressBytes int64 `json:"address_bytes,omitempty"`
	ProjectBytes int64 `json:"project_bytes,omitempty"`
	// AddressUploads and AddressUploadBytes are how many files visitors of one address
	// may upload in one day of UTC, and how large all of them may be. Defaults 1,000
	// and 1 GiB.
	AddressUploads     int64 `json:"address_uploads,omitempty"`
	AddressUploadBytes int64 `json:"address_upload_bytes,omitempty"`
	// CallsPerMinute is how many calls of any kind one process answers to one visitor,
	// and ten times as many to one address. Default 600.
	CallsPerMinute int64 `json:"calls_per_minute,omitempty"`
}

// WithDefaults returns the budgets with every zero replaced.
func (b Budgets) WithDefaults() Budgets {
	return Budgets{
		VisitorTokens:     cmp.Or(b.VisitorTokens, 200_000),
		AddressTokens:     cmp.Or(b.AddressTokens, 1_000_000),
		ProjectTokens:     cmp.Or(b.ProjectTokens, 20_000_000),
		MessagesPerMinute: cmp.Or(b.MessagesPerMinute, 30),
		IdentifyPerHour:   cmp.Or(b.IdentifyPerHour, 600),
		UploadsPerHour:    cmp.Or(b.UploadsPerHour, 60),

		VisitorMessages: cmp.Or(b.VisitorMessages, 1000),
		AddressMessages: cmp.Or(b.AddressMessages, 10_000),
		ProjectMessages: cmp.Or(b.ProjectMessages, 200_000),

		VisitorBytes: cmp.Or(b.VisitorBytes, 4<<20),
		AddressBytes: cmp.Or(b.AddressBytes, 32<<20),
		ProjectBytes: cmp.Or(b.ProjectBytes, 1<<30),

		CallsPerMinute: cmp.Or(b.CallsPerMinute, 600),

		AddressUploads:     cmp.Or(b.AddressUploads, 1000),
		AddressUploadBytes: cmp.Or(b.AddressUploadBytes, 1<<30),
	}
}

// Settle is how long a close can be undone by a sign of the page.
func (p *Project) Settle() time.Duration {
	return cmp.Or(time.Duration(p.SettleSeconds)*time.Second, 30*time.Second)
}

// Agent returns the agent with this id; "" is the default one. ErrNotFound if
// there is none or it is disabled.
func (p *Project) Agent(id AgentID) (AgentSettings, error) {
	for _, a := range p.Agents {
		if !a.Disabled && (id == "" || a.ID == id) {
			return a, nil
		}
	}
	return AgentSettings{}, notFound("agent")
}

// Answering returns the agent of a session, or the default one if that is gone
// or disabled.
func (p *Project) Answering(s *Session) (AgentSettings, error) {
	if a, err := p.Agent(s.Agent); err == nil {
		return a, nil
	}
	return p.Agent("")
}

// Text returns the sentence with this key in the language, in its base
// language, or in any; "" if the project does not override it.
func (p *Project) Text(key, language string) string {
	return cmp.Or(p.Texts[key+"."+language], p.Texts[key+"."+base(language)], p.Texts[key])
}

// base cuts a BCP 47 tag down to its language.
func base(tag string) string {
	if end := strings.IndexAny(tag, "-_"); end >= 0 {
		return tag[:end]
	}
	return tag
}

func (p *Project) shards() int { return max(1, p.InboxShards) }

func (p *Project) shard(id SessionID) int { return dueShard(string(id)) % p.shards() }

// Project returns the settings of a project. ErrNotFound if there is none.
// The result is shared: do not change it.
func (s *Store) Project(ctx context.Context, id ProjectID) (*Project, error) {
	if p := s.projects.get(string(id)); p != nil {
		return p, nil
	}
	stood, err := s.loadProject(ctx, id, false)
	if err != nil {
		return nil, err
	}
	s.projects.put(string(id), &stood.Project)
	return &stood.Project, nil
}

// ProjectByKey returns the project that a public key names; an unknown_key
// error of kind ErrDenied if none does.
func (s *Store) ProjectByKey(ctx context.Context, key string) (*Project, error) {
	unknown := denied("unknown_key", "the public key is missing or unknown")
	if CheckID("key", key) != nil {
		return nil, unknown
	}
	if p := s.projects.get("key " + key); p != nil {
		return p, nil
	}
	item, err := s.get(ctx, false, publicKeyKey(key))
	if err == nil && item == nil {
		err = unknown
	}
	if err != nil {
		return nil, err
	}
	p, err := s.Project(ctx, ProjectID(item.String("project")))
	if err != nil {
		return nil, err
	}
	if !slices.Contains(p.PublicKeys, key) {
		return nil, unknown
	}
	s.projects.put("key "+key, p)
	return p, nil
}

// projectCache keeps projects for a short time, by id and by "key KEY".
type projectCache struct {
	life time.Duration
	now  func() time.Time
	mu   sync.Mutex
	all  map[string]cachedProject
}

type cachedProject struct {
	project *Project
	until   time.Time
}

// maxCachedProjects bounds the memory of an instance that serves many projects.
const maxCachedProjects = 1000

func (c *projectCache) get(key string) *Project {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.all[key]; ok && c.now().Before(p.until) {
		return p.project
	}
	return nil
}

func (c *projectCache) put(key string, p *Project) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= maxCachedProjects {
		c.all = map[string]cachedProject{}
	}
	c.all[key] = cachedProject{p, c.now().Add(c.life)}
}

func (c *projectCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = nil
}
