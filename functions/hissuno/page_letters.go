package hissuno

import (
	"context"
	"strings"

	"parley/shared/parley"
)

// maxLetterBytes is how much of letters one reply brings, in bytes of UTF-8, but one
// letter at least; the rest comes with the next. Our choice: a fifth of what the
// widget shows of a reply.
const maxLetterBytes = 8192

// isLetter reports whether an entry is a message that a page has to have, though
// nobody asked for it: a person's, or a reply that came late.
func (p *page) isLetter(e parley.Entry) bool {
	if e.Internal || !e.IsMessage() || e.Status == parley.StatusCancelled {
		return false
	}
	return e.Author.Kind == parley.AuthorHuman || p.late(e)
}

// shuts is the page's word that its visitor has shut the chat.
func (p *page) shuts(ctx context.Context) error {
	if err := p.peek(ctx); err != nil {
		return err
	}
	if p.shut != p.number+1 {
		if err := p.note(ctx, parley.PageChange{Set: notes{noteShut: p.number + 1}}); err != nil {
			return err
		}
	}
	return p.API.Store.Close(ctx, p.caller, p.id)
}

// deaf reports whether the page asks for no updates: its visitor has shut the chat, or
// it has shown a reply and has not asked anew.
func (p *page) deaf() bool {
	silent := p.reply > 0 && !p.replyProven && p.writtenAt <= p.replyAt && p.Now().UnixMilli()-p.replyAt > askedAtOnce.Milliseconds()
	return p.shut == p.number+1 || silent
}

// letters returns the messages that a page which asks for no updates has missed.
func (p *page) letters(ctx context.Context) ([]parley.Entry, error) {
	if !p.deaf() {
		return nil, nil
	}
	var missed []parley.Entry
	size := 0
	for e, err := range p.API.Store.EntriesAfter(ctx, p.session, max(p.proven, p.shown)) {
		if err != nil {
			return nil, err
		}
		if !p.isLetter(e) {
			continue
		}
		if size += len(e.Text); size > maxLetterBytes && len(missed) > 0 {
			break
		}
		missed = append(missed, e)
	}
	return missed, nil
}

// lettersShown notes letters that are about to be written to the page by themselves.
func (p *page) lettersShown(ctx context.Context, upto parley.Seq) error {
	return p.note(ctx, parley.PageChange{Same: notes{noteNumber: p.number}, Set: notes{noteShown: int64(upto)}})
}

// letterText returns letters as one text. The widget shows it under the assistant's
// name, so that each person is named.
func letterText(letters []parley.Entry, text func(parley.Entry) string) string {
	var b strings.Builder
	for _, e := range letters {
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		if e.Author.Kind == parley.AuthorHuman && e.Author.Name != "" {
			b.WriteString(e.Author.Name + ": ")
		}
		b.WriteString(text(e))
	}
	return b.String()
}
