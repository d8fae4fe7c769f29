package parley

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"parley/shared/schema"
)

// Limits of the actions of a project. Our choices: what a model is offered it
// reads in every round, and it chooses badly among many.
const (
	// MaxProjectActions is how many actions a project declares,
	// MaxActionsBytes the longest JSON of all of them.
	MaxProjectActions = 20
	MaxActionsBytes   = 64 << 10
	// MaxDescriptionBytes is the longest description of an action or a mode.
	MaxDescriptionBytes = 1000
	// MaxParametersBytes is the longest JSON Schema of an action's parameters.
	MaxParametersBytes = 4 << 10
	// MaxActionURLBytes is the longest address of an action, as it is declared.
	MaxActionURLBytes = 1000
	// MaxActionValues is how many values one action declares, MaxActionNameBytes
	// the longest name of one, MaxActionValueBytes the longest value.
	MaxActionValues     = 20
	MaxActionNameBytes  = 100
	MaxActionValueBytes = 1000
	// DefaultActionTime is how long an action may take to answer, MaxActionTime
	// the longest that a project may allow.
	DefaultActionTime = 10 * time.Second
	MaxActionTime     = 30 * time.Second
	// MaxActionResultBytes is the longest JSON that is kept of an answer: some
	// 4,000 tokens, and what one reply may call fits into its entry.
	MaxActionResultBytes = 16 << 10
)

// ActionID names an action of a project, to the model too.
type ActionID string

// Action is a request to a host of the customer's that an agent may have made.
// What the model says goes into the {placeholders} of the URL; of the rest, into
// the query where Query names it or the method has no body, and otherwise into
// the body, a JSON object.
type Action struct {
	ID ActionID `json:"id"`
	// Name is for people, Description tells the model what it does and when to use it.
	Name        string `json:"name,omitempty"`
	Description string `json:"description"`
	// Parameters is a JSON Schema of an object, in the keywords of package schema;
	// empty means no parameters.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// Method is GET, POST, PUT, PATCH or DELETE; "" is GET.
	Method string `json:"method,omitempty"`
	// URL is https, or http to this machine, for development. {name} stands in its
	// path for a parameter or a value in "path".
	URL string `json:"url"`
	// Query are parameters that go into the query though the method has a body.
	Query []string `json:"query,omitempty"`
	// Values are what the project sends with every call. They win over the model.
	Values []ActionValue `json:"values,omitempty"`
	// TimeoutSeconds is how long it may take to answer; 0 means DefaultActionTime.
	TimeoutSeconds int `json:"timeout_seconds,omitempty"`
	// Form has the visitor fill in the parameters: the model's call asks for that
	// and sends nothing.
	Form bool `json:"form,omitempty"`
	// Handover gives the session to a human after a call that succeeded.
	Handover bool `json:"handover,omitempty"`
}

// ActionValue is one value that a request carries besides the model's.
type ActionValue struct {
	In   ActionPlace `json:"in"`
	Name string      `json:"name"`
	// Value is a string, a number or a boolean, in the body any JSON. Without it
	// the value is sent only if an override brings one.
	Value json.RawMessage `json:"value,omitempty"`
	// Secret names, instead of Value, a secret that the deployment keeps for the
	// project. Nobody overrides it.
	Secret string `json:"secret,omitempty"`
	// Open lets the visitor's browser override it. A contact's server may always.
	Open bool `json:"open,omitempty"`
}

// ActionPlace is where in a request a value stands.
type ActionPlace string

// The places.
const (
	InHeader ActionPlace = "header"
	InQuery  ActionPlace = "query"
	InPath   ActionPlace = "path"
	InBody   ActionPlace = "body"
)

// Label is the action's name, or its id where it has none.
func (a Action) Label() string { return cmp.Or(a.Name, string(a.ID)) }

// HandoverReason is why a call of the action gives the session to a human, for operators.
func (a Action) HandoverReason() string { return `The action "` + a.Label() + `" asks for a human.` }

// Verb is the method with its default.
func (a Action) Verb() string { return cmp.Or(a.Method, "GET") }

// HasBody says whether what is not in the path or the query goes into a body.
func (a Action) HasBody() bool { return a.Verb() != "GET" && a.Verb() != "DELETE" }

// Timeout is how long the action may take.
func (a Action) Timeout() time.Duration {
	return cmp.Or(time.Duration(a.TimeoutSeconds)*time.Second, DefaultActionTime)
}

// Schema returns the parameters' schema. The error is of a project that was
// never checked.
func (a Action) Schema() (*schema.Schema, error) {
	if len(a.Parameters) == 0 {
		return schema.Parse(json.RawMessage(`{"type":"object"}`))
	}
	return schema.Parse(a.Parameters)
}

// Action returns an action of the project. ErrNotFound if there is none.
func (p *Project) Action(id ActionID) (Action, error) {
	for _, a := range p.Actions {
		if a.ID == id {
			return a, nil
		}
	}
	return Action{}, notFound("action")
}

var (
	// actionIDs is what OpenAI and Bedrock take as the name of a tool.
	actionIDs    = pattern(`^[a-zA-Z0-9_-]{1,64}$`)
	secretNames  = pattern(`^[a-zA-Z0-9_.-]{1,64}$`)
	headerNames  = pattern("^[a-zA-Z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110, section 5.6.2
	placeholders = pattern(`\{([a-zA-Z0-9_.-]{1,100})\}`)
)

// ownHeaders are set by the request itself, or say where it goes.
var ownHeaders = []string{"host", "content-length", "content-type", "content-encoding", "accept-encoding", "connection", "keep-alive",
	"transfer-encoding", "te", "trailer", "upgrade", "expect", "proxy-authorization", "proxy-connection"}

// Placeholders are the names in {braces} of a URL, in order.
func Placeholders(template string) []string {
	var names []string
	for _, m := range placeholders().FindAllStringSubmatch(template, -1) {
		names = append(names, m[1])
	}
	return names
}

// FillPath replaces the {placeholders} of a URL by what fill returns for their
// names, escaped as one segment of the path.
func FillPath(template string, fill func(name string) string) string {
	return placeholders().ReplaceAllStringFunc(template, func(s string) string {
		return url.PathEscape(fill(s[1 : len(s)-1]))
	})
}

// checkActions returns an invalid_field or too_large error unless every action
// can be carried out as it is declared.
func (p *Project) checkActions() error {
	if len(p.Actions) > MaxProjectActions {
		return invalid("actions", "a project has at most %d actions", MaxProjectActions)
	}
	seen := map[ActionID]bool{EnterMode: true, LeaveMode: true, HandOver: true, EndConversation: true, MarkSolved: true}
	for _, a := range p.Actions {
		if !actionIDs().MatchString(string(a.ID)) {
			return invalid("actions", "an action's id is 1 to 64 letters, digits, _ and -")
		}
		if seen[a.ID] {
			return invalid("actions", "the action id %s is taken", a.ID)
		}
		seen[a.ID] = true
		if err := a.check(); err != nil {
			return err
		}
	}
	if text, err := json.Marshal(p.Actions); err != nil || len(text) > MaxActionsBytes {
		return tooLarge("actions", MaxActionsBytes)
	}
	return nil
}

// wrong is an error in one action's declaration.
func (a Action) wrong(format string, args ...any) error {
	return invalid("actions", "action %s: "+format, append([]any{a.ID}, args...)...)
}

func (a Action) check() error {
	for _, t := range []sized{{a.Name, MaxNameBytes}, {a.Description, MaxDescriptionBytes}, {string(a.Parameters), MaxParametersBytes},
		{a.URL, MaxActionURLBytes}} {
		if len(t.text) > t.most {
			return tooLarge("actions", t.most)
		}
	}
	switch {
	case a.Description == "":
		return a.wrong("the description is missing, which tells the model when to call it")
	case !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, a.Verb()):
		return a.wrong("the method is GET, POST, PUT, PATCH or DELETE")
	case a.TimeoutSeconds < 0 || a.Timeout() > MaxActionTime:
		return a.wrong("timeout_seconds is 0 to %d", int(MaxActionTime/time.Second))
	case len(a.Values) > MaxActionValues:
		return a.wrong("it has more than %d values", MaxActionValues)
	}
	parameters, err := a.Schema()
	if err != nil {
		return a.wrong("the parameters are no schema: %s", err)
	}
	for _, name := range a.Query {
		if parameters.Properties[name] == nil {
			return a.wrong("the query names %q, which is no parameter", name)
		}
	}
	for i, v := range a.Values {
		if problem := v.problem(a); problem != "" {
			return a.wrong("the value %q in %q %s", v.Name, v.In, problem)
		}
		if slices.ContainsFunc(a.Values[:i], v.sameAs) {
			return a.wrong("the value %q in %q is declared twice", v.Name, v.In)
		}
	}
	return a.checkURL(parameters)
}

// sameAs reports whether two values stand in the same place; names of headers
// are the same in any mix of upper and lower case.
func (v ActionValue) sameAs(o ActionValue) bool {
	return v.In == o.In && (v.Name == o.Name || v.In == InHeader && strings.EqualFold(v.Name, o.Name))
}

// problem says why a value cannot be sent, "" if it can.
func (v ActionValue) problem(a Action) string {
	switch {
	case !slices.Contains([]ActionPlace{InHeader, InQuery, InPath, InBody}, v.In):
		return "is in none of header, query, path and body"
	case v.Name == "" || len(v.Name) > MaxActionNameBytes:
		return "has no name, or too long a one"
	case v.In == InHeader && !headerNames().MatchString(v.Name):
		return "is no name of a header"
	case v.In == InHeader && slices.Contains(ownHeaders, strings.ToLower(v.Name)):
		return "is a header that the request sets itself"
	case v.In == InBody && !a.HasBody():
		return "is in the body, which the method has not"
	case v.In == InPath && !slices.Contains(Placeholders(a.URL), v.Name):
		return "has no place in the URL"
	case v.Secret != "" && (v.Open || v.Value != nil):
		return "is a secret, and a value or open besides"
	case v.Secret != "" && v.In != InHeader:
		return "is a secret outside of a header, where it would be logged"
	case v.Secret != "" && !secretNames().MatchString(v.Secret):
		return "names a secret with other characters than letters, digits, _, . and -"
	case v.Value == nil:
		return ""
	}
	return CheckActionValue(v.In, v.Value)
}

// CheckActionValue says why a value cannot stand in a place, "" if it can:
// outside of the body it is a string, a number or a boolean.
func CheckActionValue(in ActionPlace, value json.RawMessage) string {
	if len(value) > MaxActionValueBytes {
		return "is too long"
	}
	text, ok := Plain(value)
	switch {
	case !json.Valid(value):
		return "is no JSON"
	case in == InBody:
		return ""
	case !ok:
		return "is neither a string nor a number nor a boolean"
	case in == InHeader && strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }):
		return "has control characters, which no header may have"
	}
	return ""
}

// Plain returns a JSON string, number or boolean as it stands in a URL or a header.
func Plain(value json.RawMessage) (text string, ok bool) {
	if json.Unmarshal(value, &text) == nil && len(value) > 0 && value[0] == '"' {
		return text, true
	}
	text = strings.TrimSpace(string(value))
	return text, text != "" && !strings.ContainsAny(text[:1], `{["n`)
}

func (a Action) checkURL(parameters *schema.Schema) error {
	filled := FillPath(a.URL, func(string) string { return "x" })
	u, err := url.Parse(filled)
	local := err == nil && slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	_, rest, _ := strings.Cut(a.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	_, query, _ := strings.Cut(a.URL, "?")
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !local):
		return a.wrong("the URL does not begin with https:// and a host")
	case u.User != nil || u.Fragment != "" || strings.ContainsAny(filled, "{}#"):
		return a.wrong("the URL has a user, a fragment, or a brace that is no placeholder")
	case strings.Contains(host, "{") || strings.Contains(query, "{"):
		return a.wrong("a placeholder stands outside of the URL's path")
	}
	for _, name := range Placeholders(a.URL) {
		fromModel := slices.Contains(parameters.Required, name)
		if !fromModel && !slices.ContainsFunc(a.Values, func(v ActionValue) bool { return v.In == InPath && v.Name == name }) {
			return a.wrong("the placeholder {%s} is neither a required parameter nor a value in the path", name)
		}
	}
	return nil
}

// ActionRequest is one call of an action.
type ActionRequest struct {
	// ID names the call for good: a host that heeds Idempotency-Key does nothing
	// twice for the same one.
	ID      string
	Project ProjectID
	Action  Action
	// Arguments are the model's or the visitor's: a JSON object.
	Arguments json.RawMessage
	// Contact and Browser win over the project's values, Browser over Contact,
	// where the action lets them.
	Contact, Browser Overrides
}

// ActionResult is what came of a call.
type ActionResult struct {
	// Result is {"status": 200, "body": …}: the body as JSON, or as a string if it
	// is other text. Nil if there was no answer.
	Result json.RawMessage
	// Error says in a sentence why the call did not do what was asked, "" if it did.
	Error string
}
