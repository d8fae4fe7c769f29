// Package mail is how Parley sends mail: a message, what makes one fit to be
// sent, and the port behind which a server or a service takes it. Adapters are
// smtpmail, for a laptop and tests, and functions/internal/ses.
package mail

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Sender sends a message. A nil error means that whoever is next on the way has
// taken it. An error that is an ErrRefused is final, for all others the same
// message may be sent again; it may then arrive twice, with the same ID.
type Sender func(ctx context.Context, m Message) error

// ErrRefused means that this message will never be taken, however often it is
// sent.
var ErrRefused = errors.New("the mail is refused")

// Address is a mailbox with the name of whose it is, which may be "".
type Address struct {
	Name, Email string
}

// Message is a mail in plain text.
type Message struct {
	// ID is of the message, and the same whenever it is sent again, so that mail
	// systems can tell a repetition: its Message-ID is made of it. 1 to MaxIDBytes
	// of letters, digits, ".", "_" and "-".
	ID string
	// Thread groups messages in mail programs; "" for one that stands alone.
	// Formed like an ID.
	Thread string
	From   Address
	To     []Address // 1 to MaxRecipients
	// ReplyTo is where answers go, if not to From; zero if they do.
	ReplyTo Address
	Subject string // at most MaxSubjectBytes
	Text    string // at most MaxTextBytes; lines end with "\n"
}

// Limits of a message. Our choices, but for addresses (RFC 5321, section 4.5.3.1).
const (
	MaxIDBytes      = 100
	MaxRecipients   = 10
	MaxNameBytes    = 128
	MaxSubjectBytes = 200
	MaxTextBytes    = 64 << 10
	MaxEmailBytes   = 254
	maxLocalBytes   = 64
)

// These are compiled when they are first needed: most functions that know this
// package never send a mail, and all of them start often.
var (
	ids = pattern(`^[A-Za-z0-9._-]+$`)
	// emails are those that need no quotes: an atom with dots, "@" and a host name.
	// Addresses in other scripts need an extension that not every server has (RFC 6531).
	emails = pattern("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*" +
		`@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)
)

func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// CheckEmail returns what is wrong with an address without a name, as a sentence
// without the address in it.
func CheckEmail(email string) error {
	local, _, _ := strings.Cut(email, "@")
	switch {
	case len(email) > MaxEmailBytes || len(local) > maxLocalBytes:
		return errors.New("the e-mail address is too long")
	case !emails().MatchString(email):
		return errors.New("an e-mail address is a name, @ and a host, in ASCII and without quotes")
	}
	return nil
}

// Check returns an ErrRefused that says what is wrong with the message. Nothing
// that passes can add a header, or a recipient.
func (m Message) Check() error {
	err := m.problem()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

func (m Message) problem() error {
	switch {
	case !goodID(m.ID) || m.Thread != "" && !goodID(m.Thread):
		return errors.New("the message has no good id")
	case len(m.To) == 0 || len(m.To) > MaxRecipients:
		return fmt.Errorf("a message has 1 to %d recipients", MaxRecipients)
	case m.Subject == "" || len(m.Subject) > MaxSubjectBytes || !oneLine(m.Subject):
		return fmt.Errorf("a subject is one line of at most %d bytes", MaxSubjectBytes)
	case len(m.Text) > MaxTextBytes || !utf8.ValidString(m.Text) || strings.ContainsFunc(m.Text, unprintable):
		return fmt.Errorf("a text has at most %d bytes and no control characters", MaxTextBytes)
	}
	all := append([]Address{m.From}, m.To...)
	if m.ReplyTo != (Address{}) {
		all = append(all, m.ReplyTo)
	}
	for _, a := range all {
		if err := a.problem(); err != nil {
			return err
		}
	}
	return nil
}

func (a Address) problem() error {
	if len(a.Name) > MaxNameBytes || !oneLine(a.Name) {
		return fmt.Errorf("a name is one line of at most %d bytes", MaxNameBytes)
	}
	return CheckEmail(a.Email)
}

func goodID(id string) bool { return len(id) <= MaxIDBytes && ids().MatchString(id) }

// oneLine: no character of a header's text may end a line, or turn it around.
func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, breaks)
}

// breaks reports whether a character is a control, a line's or paragraph's end,
// or one that changes the direction in which a line is read.
func breaks(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) || unicode.Is(unicode.Bidi_Control, r)
}

func unprintable(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }

// Line makes one line of a text, of at most max bytes, that a subject or a name
// may be: what could break it is a space, and what is cut off is "…".
func Line(text string, max int) string {
	text = strings.Map(func(r rune) rune {
		if breaks(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= max {
		return text
	}
	const ellipsis = "…"
	return strings.TrimRight(strings.ToValidUTF8(text[:max-len(ellipsis)], ""), " ") + ellipsis
}
