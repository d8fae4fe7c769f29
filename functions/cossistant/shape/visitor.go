package shape

import (
	"cmp"
	"encoding/json"

	"parley/shared/api"
	"parley/shared/parley"
)

// PublicContact is who a visitor is, as its own page is told.
type PublicContact struct {
	ID    parley.ContactID `json:"id"`
	Name  *string          `json:"name"`
	Email *string          `json:"email"`
	Image *string          `json:"image"`
	// MetadataHash lets the page see that its metadata is kept already.
	MetadataHash string `json:"metadataHash"`
}

// Contact is who a visitor is, whole.
type Contact struct {
	ID                    parley.ContactID `json:"id"`
	ExternalID            *string          `json:"externalId"`
	Name                  *string          `json:"name"`
	Email                 *string          `json:"email"`
	Image                 *string          `json:"image"`
	Metadata              any              `json:"metadata"`
	ContactOrganizationID *string          `json:"contactOrganizationId"`
	WebsiteID             parley.ProjectID `json:"websiteId"`
	OrganizationID        parley.ProjectID `json:"organizationId"`
	UserID                *string          `json:"userId"`
	CreatedAt             api.Time         `json:"createdAt"`
	UpdatedAt             api.Time         `json:"updatedAt"`
}

// ContactOf is who a visitor has said to be and who somebody vouched for; nil if
// neither. What the visitor itself said goes before: its page compares that with what
// it is told, and nothing that another visitor said is in it.
func ContactOf(project parley.ProjectID, p parley.Profile) *Contact {
	if p.Known == "" && p.Contact == nil {
		return nil
	}
	said := p.Said
	out := Contact{ID: p.Known, WebsiteID: project, OrganizationID: project, Metadata: nil, CreatedAt: api.Time(said.Created), UpdatedAt: api.Time(said.Updated)}
	vouched := parley.Contact{}
	if p.Contact != nil {
		vouched = *p.Contact
		out.ID, out.CreatedAt = vouched.ID, api.Time(vouched.Created)
		out.UpdatedAt = max(out.UpdatedAt, out.CreatedAt)
		if len(vouched.Metadata) > 0 {
			out.Metadata = vouched.Metadata
		}
	}
	if len(said.Metadata) > 0 {
		out.Metadata = said.Metadata
	}
	out.ExternalID = api.OrNull(cmp.Or(said.External, vouched.External))
	out.Name, out.Email = api.OrNull(cmp.Or(said.Name, vouched.Name)), api.OrNull(cmp.Or(said.Email, vouched.Email))
	out.Image = api.OrNull(cmp.Or(said.Picture, vouched.Picture))
	return &out
}

// VouchedContact shows a contact to the project's own server.
func VouchedContact(project parley.ProjectID, c parley.Contact) Contact {
	return *ContactOf(project, parley.Profile{Contact: &c})
}

// Public is the contact as the website's answer has it; nil for nil.
func (c *Contact) Public(said parley.Introduction) *PublicContact {
	if c == nil {
		return nil
	}
	return &PublicContact{c.ID, c.Name, c.Email, c.Image, MetadataHash(said.Metadata)}
}

// Visitor is a visitor, whole. Where the visitor is by its address is not known.
type Visitor struct {
	ID               parley.VisitorID `json:"id"`
	Browser          *string          `json:"browser"`
	BrowserVersion   *string          `json:"browserVersion"`
	OS               *string          `json:"os"`
	OSVersion        *string          `json:"osVersion"`
	Device           *string          `json:"device"`
	DeviceType       *string          `json:"deviceType"`
	IP               *string          `json:"ip"`
	City             *string          `json:"city"`
	Region           *string          `json:"region"`
	Country          *string          `json:"country"`
	CountryCode      *string          `json:"countryCode"`
	Latitude         *float64         `json:"latitude"`
	Longitude        *float64         `json:"longitude"`
	Language         *string          `json:"language"`
	Timezone         *string          `json:"timezone"`
	ScreenResolution *string          `json:"screenResolution"`
	Viewport         *string          `json:"viewport"`
	CreatedAt        api.Time         `json:"createdAt"`
	UpdatedAt        api.Time         `json:"updatedAt"`
	LastSeenAt       *api.Time        `json:"lastSeenAt"`
	WebsiteID        parley.ProjectID `json:"websiteId"`
	OrganizationID   parley.ProjectID `json:"organizationId"`
	BlockedAt        *api.Time        `json:"blockedAt"`
	BlockedByUserID  *string          `json:"blockedByUserId"`
	IsBlocked        bool             `json:"isBlocked"`
	Attribution      json.RawMessage  `json:"attribution"`
	CurrentPage      json.RawMessage  `json:"currentPage"`
	Contact          *Contact         `json:"contact"`
}

// VisitorOf shows what is known of a visitor.
func VisitorOf(project parley.ProjectID, p parley.Profile) Visitor {
	t, v := p.Tracking, p.Visitor
	of := func(name string) *string { return api.OrNull(t.Device[name]) }
	return Visitor{ID: v.ID, Browser: of("browser"), BrowserVersion: of("browserVersion"), OS: of("os"), OSVersion: of("osVersion"),
		Device: of("device"), DeviceType: of("deviceType"), ScreenResolution: of("screenResolution"), Viewport: of("viewport"),
		Language: api.OrNull(t.Language), Timezone: api.OrNull(t.Timezone), CreatedAt: api.Time(v.Created), UpdatedAt: api.Time(max(v.Created, t.Updated)),
		LastSeenAt: api.TimeOrNull(v.Heard), WebsiteID: project, OrganizationID: project, IsBlocked: v.Blocked,
		Attribution: t.First, CurrentPage: currentPage(t), Contact: ContactOf(project, p)}
}

// currentPage is the page with when it changed, which is kept beside it; nil, which is
// null, for none.
func currentPage(t parley.Tracking) json.RawMessage {
	var page map[string]any
	if t.Page == nil || json.Unmarshal(t.Page, &page) != nil {
		return nil
	}
	page["updatedAt"] = api.Time(t.Updated)
	return json.RawMessage(api.Encode(page))
}
