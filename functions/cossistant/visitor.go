package cossistant

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"parley/functions/cossistant/shape"
	"parley/shared/api"
	"parley/shared/parley"
)

type website struct {
	ID              parley.ProjectID `json:"id"`
	Name            string           `json:"name"`
	OrganizationID  parley.ProjectID `json:"organizationId"`
	Domain          string           `json:"domain"`
	Status          string           `json:"status"`
	Description     *string          `json:"description"`
	LogoURL         *string          `json:"logoUrl"`
	LastOnlineAt    *api.Time        `json:"lastOnlineAt"`
	DefaultLanguage string           `json:"defaultLanguage"`
	Humans          []human          `json:"availableHumanAgents"`
	Agents          []aiAgent        `json:"availableAIAgents"`
	Visitor         publicVisitor    `json:"visitor"`
}

type human struct {
	ID         parley.OperatorID `json:"id"`
	Name       string            `json:"name"`
	Email      *string           `json:"email"`
	Image      *string           `json:"image"`
	LastSeenAt *api.Time         `json:"lastSeenAt"`
}

type aiAgent struct {
	ID    parley.AgentID `json:"id"`
	Name  string         `json:"name"`
	Image *string        `json:"image"`
}

type publicVisitor struct {
	ID        parley.VisitorID     `json:"id"`
	IsBlocked bool                 `json:"isBlocked"`
	Language  *string              `json:"language"`
	Contact   *shape.PublicContact `json:"contact"`
}

// website is the first call of every page: it makes the visitor, or recalls it.
func (f function) website(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	ctx, cancel := api.Lasting(r, api.ChangeTime)
	defer cancel()
	v, err := f.API.Store.Arrive(ctx, c, parley.VisitorID(r.Header.Get(VisitorHeader)))
	if err != nil {
		return nil, err
	}
	c.Bare, c.Visitor = true, v.ID
	profile, err := f.API.Store.Profile(ctx, c)
	if err != nil {
		return nil, err
	}
	operators, err := f.API.Store.Operators(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := website{ID: p.ID, Name: p.Name, OrganizationID: p.ID, Domain: domain(p), Status: "active", DefaultLanguage: cmp.Or(p.Language, "en"),
		Humans: []human{}, Agents: []aiAgent{}, Visitor: publicVisitor{v.ID, v.Blocked, api.OrNull(profile.Tracking.Language),
			shape.ContactOf(p.ID, profile).Public(profile.Said)}}
	for _, o := range operators {
		out.Humans = append(out.Humans, human{ID: o.ID, Name: o.Name, Image: api.OrNull(o.Picture)})
	}
	for _, a := range p.Agents {
		if !a.Disabled {
			out.Agents = append(out.Agents, aiAgent{a.ID, a.Name, api.OrNull(a.Picture)})
		}
	}
	return out, nil
}

// domain is the host of the first origin of a project's list.
func domain(p *parley.Project) string {
	for _, entry := range p.Origins {
		if _, rest, found := strings.Cut(entry, "://"); found {
			entry = rest
		}
		if u, err := url.Parse("//" + strings.TrimPrefix(entry, "*.")); err == nil && entry != "*" {
			return u.Hostname()
		}
	}
	return ""
}

// told is what a page says of its visitor. The protocol has more fields, which are the
// server's and are not taken from pages.
type told struct {
	Browser          string          `json:"browser"`
	BrowserVersion   string          `json:"browserVersion"`
	OS               string          `json:"os"`
	OSVersion        string          `json:"osVersion"`
	Device           string          `json:"device"`
	DeviceType       string          `json:"deviceType"`
	ScreenResolution string          `json:"screenResolution"`
	Viewport         string          `json:"viewport"`
	Language         string          `json:"language"`
	Timezone         string          `json:"timezone"`
	CountryCode      *string         `json:"countryCode"`
	Attribution      json.RawMessage `json:"attribution"`
	CurrentPage      json.RawMessage `json:"currentPage"`
}

func (in told) tracking(r *http.Request) (parley.Tracking, error) {
	t := parley.Tracking{Language: in.Language, Timezone: in.Timezone, Device: map[string]string{}}
	if in.CountryCode != nil && len(*in.CountryCode) != 2 {
		return t, api.InvalidField("countryCode", "countryCode has two letters")
	}
	if t.Language == "" {
		t.Language, _, _ = strings.Cut(r.Header.Get("Accept-Language"), ",")
		t.Language, _, _ = strings.Cut(t.Language, ";")
		if len(t.Language) > parley.MaxLanguageBytes || t.Language == "*" {
			t.Language = ""
		}
	}
	for name, value := range map[string]string{"browser": in.Browser, "browserVersion": in.BrowserVersion, "os": in.OS, "osVersion": in.OSVersion,
		"device": in.Device, "deviceType": in.DeviceType, "screenResolution": in.ScreenResolution, "viewport": in.Viewport} {
		if value != "" {
			t.Device[name] = value
		}
	}
	var err error
	if t.First, err = tidied("attribution", in.Attribution); err != nil {
		return t, err
	}
	t.Page, err = tidied("currentPage", in.CurrentPage)
	return t, err
}

// maxTrackedText is how much is kept of an address or another text of what a page
// tracks, in bytes. Our choice: campaigns make addresses long that nobody reads.
const maxTrackedText = 400

// tidied is an object of a page's with its texts cut, and without when it was made:
// else every sign of a page would be news. nil for null.
func tidied(field string, raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var object map[string]any
	if json.Unmarshal(raw, &object) != nil {
		return nil, api.InvalidField(field, field+" is an object")
	}
	delete(object, "updatedAt")
	cutTexts(object)
	return json.RawMessage(api.Encode(object)), nil
}

func cutTexts(v any) any {
	switch v := v.(type) {
	case string:
		return parley.HintText(v).Kept(maxTrackedText)
	case map[string]any:
		for k := range v {
			v[k] = cutTexts(v[k])
		}
	case []any:
		for i := range v {
			v[i] = cutTexts(v[i])
		}
	}
	return v
}

func (f function) patchVisitor(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in told
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	t, err := in.tracking(r)
	if err != nil {
		return nil, err
	}
	if err := f.API.Store.Track(r.Context(), c, t); err != nil {
		return nil, err
	}
	return f.whole(r, c, p)
}

// whole answers with the visitor.
func (f function) whole(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	profile, err := f.API.Store.Profile(r.Context(), c)
	return shape.VisitorOf(p.ID, profile), err
}

var activities = []string{"connected", "focus", "heartbeat", "route_change"}

func (f function) activity(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		Type        string          `json:"activityType"`
		Attribution json.RawMessage `json:"attribution"`
		CurrentPage json.RawMessage `json:"currentPage"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if !slices.Contains(activities, in.Type) {
		return nil, api.InvalidField("activityType", "activityType is connected, focus, heartbeat or route_change")
	}
	first, err := tidied("attribution", in.Attribution)
	if err != nil {
		return nil, err
	}
	page, err := tidied("currentPage", in.CurrentPage)
	if err != nil {
		return nil, err
	}
	err = f.API.Store.Track(r.Context(), c, parley.Tracking{First: first, Page: page})
	if parley.Code(err) == "too_large" { // a page breaks at an error here, and loses nothing by none
		err = f.API.Store.Track(r.Context(), c, parley.Tracking{})
	}
	return struct {
		OK         bool     `json:"ok"`
		AcceptedAt api.Time `json:"acceptedAt"`
	}{true, api.TimeOf(time.Now())}, err
}

// identityKey is the key of the metadata in which a page passes what its backend has
// signed: the protocol has no other place for it. It is not kept.
const identityKey = "parleyIdentity"

// prove takes a signed identity out of metadata and links the visitor to whom it names.
func (f function) prove(r *http.Request, c parley.Caller, p *parley.Project, m parley.Scalars) error {
	text := m.Texts()[identityKey]
	delete(m, identityKey)
	if text == "" {
		return nil
	}
	signed, err := f.API.Identity(p, text)
	if err != nil {
		return err
	}
	_, err = f.API.Store.Prove(r.Context(), c, signed.Keepable())
	return err
}

func (f function) patchMetadata(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct {
		Metadata parley.Scalars `json:"metadata"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if err := f.prove(r, c, p, in.Metadata); err != nil {
		return nil, err
	}
	if err := f.API.Store.SayMetadata(r.Context(), c, in.Metadata); err != nil {
		return nil, err
	}
	return f.whole(r, c, p)
}

func (f function) identify(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct {
		VisitorID  parley.VisitorID `json:"visitorId"`
		ExternalID string           `json:"externalId"`
		Email      string           `json:"email"`
		Name       string           `json:"name"`
		Image      string           `json:"image"`
		Metadata   parley.Scalars   `json:"metadata"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if err := same(c.Visitor, in.VisitorID); err != nil {
		return nil, err
	}
	if err := f.prove(r, c, p, in.Metadata); err != nil {
		return nil, err
	}
	said := parley.Introduction{External: strings.TrimSpace(in.ExternalID), Email: in.Email, Name: in.Name, Picture: in.Image, Metadata: in.Metadata}
	if err := f.API.Store.Introduce(r.Context(), c, said); err != nil {
		return nil, err
	}
	profile, err := f.API.Store.Profile(r.Context(), c)
	return struct {
		Contact   *shape.Contact   `json:"contact"`
		VisitorID parley.VisitorID `json:"visitorId"`
	}{shape.ContactOf(p.ID, profile), c.Visitor}, err
}

// support is what the page keeps of its visitor.
type support struct {
	FeatureFlags []string   `json:"featureFlags"`
	Onboarding   onboarding `json:"onboarding"`
}

type onboarding struct {
	Steps map[string]step `json:"steps"`
}

type step struct {
	Completed bool            `json:"completed"`
	Metadata  json.RawMessage `json:"metadata"`
}

func supportOf(kept json.RawMessage) support {
	out := support{FeatureFlags: []string{}, Onboarding: onboarding{map[string]step{}}}
	if kept != nil {
		_ = json.Unmarshal(kept, &out.Onboarding.Steps) // it is of our own making
	}
	return out
}

func (f function) supportState(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	kept, err := f.API.Store.Kept(r.Context(), c)
	return supportOf(kept), err
}

func (f function) onboarding(r *http.Request, c parley.Caller, _ *parley.Project) (any, error) {
	var in struct {
		StepID    string          `json:"stepId"`
		Completed *bool           `json:"completed"`
		Metadata  json.RawMessage `json:"metadata"`
		Reset     bool            `json:"reset"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.StepID == "" && !in.Reset {
		return nil, api.InvalidField("stepId", "stepId is required")
	}
	kept, err := f.API.Store.Keep(r.Context(), c, func(was json.RawMessage) (json.RawMessage, error) {
		steps := supportOf(was).Onboarding.Steps
		if in.Reset && in.StepID == "" {
			clear(steps)
		}
		if in.StepID != "" {
			s := steps[in.StepID]
			if in.Reset {
				s = step{}
			}
			if in.Completed != nil {
				s.Completed = *in.Completed
			}
			if in.Metadata != nil {
				s.Metadata = in.Metadata
			}
			steps[in.StepID] = s
		}
		return json.RawMessage(api.Encode(steps)), nil
	})
	return supportOf(kept), err
}
