package cossistant

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"parley/functions/cossistant/shape"
	"parley/shared/api"
	"parley/shared/parley"
)

// maxSendBytes is the longest body with messages. Our choice: room for the longest
// text twice, escaped, and for what the page had shown before.
const maxSendBytes = 256 << 10

// item is a timeline item as a page sends it. Its times and the ids of its
// conversation are the browser's word, and not looked at.
type item struct {
	ID    parley.EntryID `json:"id"`
	Type  string         `json:"type"`
	Text  *string        `json:"text"`
	Parts []part         `json:"parts"`
	// Visibility is of items of a team's server; pages write for all to see.
	Visibility string           `json:"visibility"`
	UserID     string           `json:"userId"`
	AIAgentID  string           `json:"aiAgentId"`
	VisitorID  parley.VisitorID `json:"visitorId"`
}

type part struct {
	Type      string `json:"type"`
	Text      string `json:"text"`
	URL       string `json:"url"`
	MediaType string `json:"mediaType"`
	Filename  string `json:"filename"`
	FileName  string `json:"fileName"` // one helper of the client writes it so
	Size      int64  `json:"size"`
	EventType string `json:"eventType"`
}

// text is what the item says.
func (in item) text() string {
	if in.Text != nil && *in.Text != "" {
		return *in.Text
	}
	for _, p := range in.Parts {
		if p.Type == "text" {
			return p.Text
		}
	}
	return ""
}

// files are the parts that name a file.
func (in item) files() (parts []part) {
	for _, p := range in.Parts {
		if p.Type == "image" || p.Type == "file" {
			parts = append(parts, p)
		}
	}
	return parts
}

func (f function) create(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct {
		ConversationID parley.SessionID `json:"conversationId"`
		VisitorID      parley.VisitorID `json:"visitorId"`
		Items          []item           `json:"defaultTimelineItems"`
		Metadata       parley.Scalars   `json:"metadata"`
	}
	if err := api.DecodeUpTo(r, maxSendBytes, &in); err != nil {
		return nil, err
	}
	if err := same(c.Visitor, in.VisitorID); err != nil {
		return nil, err
	}
	api.About(r, in.ConversationID, "")
	if in.ConversationID == "" || len(in.Items) == 0 {
		return nil, api.InvalidField("defaultTimelineItems", "a conversation has an id, and begins with a message of its visitor")
	}
	profile, err := f.API.Store.Profile(r.Context(), c)
	if err != nil {
		return nil, err
	}
	last := len(in.Items) - 1
	request, err := f.request(p, c, in.Items[last])
	if err != nil {
		return nil, f.told(p, profile.Tracking.Language, err)
	}
	if request.Greeting, err = f.greeting(r, c, p, in.Items[:last]); err != nil {
		return nil, err
	}
	request.Session, request.Begins = in.ConversationID, true
	request.Language, request.Page, request.Metadata = profile.Tracking.Language, profile.Tracking.Where(), in.Metadata.Texts()
	sent, err := f.API.Store.Send(r.Context(), c, request)
	if err != nil {
		return nil, f.told(p, request.Language, err)
	}
	if sent.Pending {
		f.Runs.Ask(r.Context(), sent.Ref)
	}
	v := f.view(r, c)
	out, err := f.now(r, c, sent.Session)
	if err != nil { // it is stored: an error would only have it sent again
		f.API.Log.ErrorContext(r.Context(), "read the conversation", "error", err.Error())
		out = v.Conversation(sent.Session, parley.Glimpse{Last: &sent.Message})
	}
	return struct {
		Conversation shape.Conversation `json:"conversation"`
		Items        []shape.Item       `json:"initialTimelineItems"`
	}{out, append(v.Greeting(sent.Session, sent.Message), *v.Item(sent.Session, sent.Message))}, nil
}

// greeting is what the page says that it showed. Whose words that was is believed as
// far as the project has such an agent or such a person.
func (f function) greeting(r *http.Request, c parley.Caller, p *parley.Project, items []item) ([]parley.Said, error) {
	var people []parley.Operator
	if slices.ContainsFunc(items, func(i item) bool { return i.UserID != "" }) {
		var err error
		if people, err = f.API.Store.Operators(r.Context(), c.Project); err != nil {
			return nil, err
		}
	}
	var out []parley.Said
	for _, in := range items {
		said := parley.Said{ID: in.ID, Text: in.text(), By: parley.Author{Kind: parley.AuthorTeam}}
		if said.Text == "" {
			continue
		}
		for _, o := range people {
			if string(o.ID) == in.UserID {
				said.By = parley.Author{Kind: parley.AuthorHuman, ID: in.UserID}
			}
		}
		if _, err := p.Agent(parley.AgentID(in.AIAgentID)); err == nil && in.AIAgentID != "" {
			said.By = parley.Author{Kind: parley.AuthorAI, ID: in.AIAgentID}
		}
		if in.VisitorID == c.Visitor && in.UserID == "" && in.AIAgentID == "" {
			said.By = c.Author()
		}
		out = append(out, said)
	}
	return out, nil
}

// request is a visitor's message. Files are known by the addresses that they were
// given; nothing is fetched from them.
func (f function) request(p *parley.Project, c parley.Caller, in item) (parley.SendRequest, error) {
	out := parley.SendRequest{ID: cmp.Or(in.ID, parley.EntryID(rand.Text())), Channel: parley.ChannelCossistant, Content: in.text(),
		IfBusy: parley.BusyQueue, Refs: map[parley.FileID]parley.Ref{}}
	if in.UserID != "" || in.AIAgentID != "" {
		return out, api.InvalidField("userId", "a page writes as its visitor, and names neither a person nor an agent")
	}
	if in.Type != "" && in.Type != "message" {
		return out, api.InvalidField("type", "a page sends messages")
	}
	if err := same(c.Visitor, in.VisitorID); err != nil {
		return out, err
	}
	for _, a := range in.files() {
		id, err := f.fileOf(p, a.URL)
		if err != nil {
			return out, err
		}
		out.Attachments = append(out.Attachments, id)
		if name := parley.HintText(cmp.Or(a.Filename, a.FileName)).Kept(parley.MaxNameBytes); name != "" {
			out.Refs[id] = parley.Ref{Name: name}
		}
	}
	return out, nil
}

// fileOf returns the project's file with a permanent address.
func (f function) fileOf(p *parley.Project, address string) (parley.FileID, error) {
	unknown := &parley.Error{Kind: parley.ErrInvalid, Code: "attachment_unknown", Text: "an attachment was not uploaded here"}
	u, err := url.Parse(address)
	if err != nil {
		return "", unknown
	}
	_, path, found := strings.Cut(u.Path, "/files/")
	parts := strings.Split(path, "/")
	if !found || len(parts) < 2 || !f.API.Store.IsFileSecret(p.ID, parley.FileID(parts[0]), parts[1]) {
		return "", unknown
	}
	return parley.FileID(parts[0]), nil
}

// told gives a refusal of a message the project's own words, which the visitor reads.
func (f function) told(p *parley.Project, language string, err error) error {
	var e *parley.Error
	if !errors.As(err, &e) {
		return err
	}
	text := p.Say(parley.TextRefused+e.Code, language)
	if text == "" {
		return err
	}
	said := *e
	said.Text = text
	return &said
}

func (f function) message(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct {
		ConversationID parley.SessionID `json:"conversationId"`
		Item           item             `json:"item"`
	}
	if err := api.DecodeUpTo(r, maxSendBytes, &in); err != nil {
		return nil, err
	}
	api.About(r, in.ConversationID, parley.RunID(in.Item.ID))
	if in.ConversationID == "" {
		return nil, api.InvalidField("conversationId", "conversationId is required")
	}
	v := f.view(r, c)
	if in.Item.Type == "event" {
		e := in.Item
		if len(e.Parts) != 1 || e.Parts[0].Type != "event" || e.Parts[0].EventType != "visitor_identified" || e.UserID+e.AIAgentID != "" {
			return nil, api.InvalidField("item", "the one event that a page sends is visitor_identified")
		}
		s, entry, err := f.API.Store.NoteIdentified(r.Context(), c, in.ConversationID, cmp.Or(e.ID, parley.EntryID(rand.Text())))
		if err != nil {
			return nil, f.told(p, "", err)
		}
		return map[string]*shape.Item{"item": v.Item(s, entry)}, nil
	}
	request, err := f.request(p, c, in.Item)
	if err != nil {
		return nil, f.told(p, "", err)
	}
	request.Session = in.ConversationID
	sent, err := f.API.Store.Send(r.Context(), c, request)
	if err != nil {
		return nil, f.told(p, "", err)
	}
	if sent.Pending {
		f.Runs.Ask(r.Context(), sent.Ref)
	}
	return map[string]*shape.Item{"item": v.Item(sent.Session, sent.Message)}, nil
}

// Limits of files, which the client has too.
const maxUploadBytes = 5 << 20

// uploadTypes are the media types that the client takes; a project may take fewer.
var uploadTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf", "text/plain", "text/csv", "text/markdown", "application/zip"}

// endings are given to files without a name.
var endings = map[string]string{"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp",
	"application/pdf": ".pdf", "text/plain": ".txt", "text/csv": ".csv", "text/markdown": ".md", "application/zip": ".zip"}

func (f function) signURL(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct {
		ContentType string           `json:"contentType"`
		WebsiteID   parley.ProjectID `json:"websiteId"`
		FileName    string           `json:"fileName"`
		Scope       struct {
			Type           string           `json:"type"`
			OrganizationID parley.ProjectID `json:"organizationId"`
			WebsiteID      parley.ProjectID `json:"websiteId"`
		} `json:"scope"`
	}
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.WebsiteID != p.ID || in.Scope.OrganizationID != p.ID || in.Scope.WebsiteID != p.ID || in.Scope.Type != "conversation" {
		return nil, api.InvalidField("scope", "scope is a conversation of this website")
	}
	if !slices.Contains(uploadTypes, in.ContentType) {
		return nil, api.InvalidField("contentType", "files of this type are not taken")
	}
	name := parley.FileName(cmp.Or(in.FileName, "file"+endings[in.ContentType]))
	g, err := f.API.Store.GrantPut(r.Context(), c, name, in.ContentType, maxUploadBytes)
	return struct {
		UploadURL   string        `json:"uploadUrl"`
		PublicURL   string        `json:"publicUrl"`
		Key         parley.FileID `json:"key"`
		Bucket      string        `json:"bucket"`
		ExpiresAt   api.Time      `json:"expiresAt"`
		ContentType string        `json:"contentType"`
	}{g.Upload.URL, f.API.FileURL(r, p.ID, g.File.ID, g.File.Name), g.File.ID, "", api.TimeOf(g.Upload.Expires), g.File.Type}, err
}
