package docs

import "strings"

// Lengths of an answer's quotation, in bytes. Our choice: about 1,000 characters
// can be read on a phone without scrolling.
const (
	maxExcerpt = 1_200
	// maxCode is the longest code block that is quoted completely although that
	// makes the quotation longer than maxExcerpt: half a command is of no use.
	maxCode = 1_200
)

// omission stands for text that was left out.
const omission = "…"

// excerpt quotes the part of a section that answers the query best: all of a
// short one, otherwise from the block on where most words of the query follow.
func (x *index) excerpt(s *section, query string) string {
	all := blocks(s.text)
	start := x.start(all, query)
	var b strings.Builder
	if start > 0 {
		b.WriteString(omission + "\n\n")
	}
	quoted := quote(all[start:])
	b.WriteString(quoted)
	if len(quoted) < len(join(all[start:])) {
		b.WriteString("\n\n" + omission)
	}
	return b.String()
}

// start returns the block to begin the quotation with: the one from which the
// quotation covers most of the query. Of several equal ones it is the first
// block of the section, so that nothing is left out, or else the last, which
// comes closest to the answer.
func (x *index) start(all []block, query string) int {
	best, most := 0, 0.0
	terms := x.query(query)
	for i, b := range all {
		if i > 0 && b.kind != paragraph {
			continue // a list or code without what introduces it is hard to read
		}
		covered := coverage(terms, setOf(strings.Join(words(prose(quote(all[i:]))), " ")))
		if covered > most || best > 0 && covered == most {
			best, most = i, covered
		}
	}
	return best
}

// coverage adds up the weights of the query's words that are among those found.
func coverage(query []queryTerm, found map[string]bool) float64 {
	covered := 0.0
	for _, a := range query {
		share := 0.0
		for variant, s := range a.variants {
			if found[variant] {
				share = max(share, s)
			}
		}
		covered += share * a.idf
	}
	return covered
}

// quote joins as many blocks as there is room for.
func quote(all []block) string {
	var quoted []block
	room := maxExcerpt
	for _, b := range all {
		if b.kind == code && len(b.text) > room && room > maxExcerpt/2 && len(b.text) <= maxCode {
			room = len(b.text)
		}
		text := b.shorten(room)
		if text != "" {
			quoted = append(quoted, block{text, b.kind})
		}
		if len(text) < len(b.text) {
			break
		}
		room -= len(text) + 2
	}
	if len(quoted) == 0 && len(all) > 0 {
		return clip(all[0].text)
	}
	return join(quoted)
}

// clip shortens a block that cannot be cut at a better place: at a space, or
// else at a line or a code point.
func clip(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxExcerpt)], "")
	first, _, _ := strings.Cut(text, "\n")
	if open := fence("").after(first); open != "" {
		if end := strings.LastIndexByte(text, '\n'); end > 0 {
			text = text[:end]
		}
		return text + "\n" + string(open)
	}
	if end := strings.LastIndexAny(text, " \n"); end > 0 {
		text = text[:end]
	}
	return text
}

func join(all []block) string {
	texts := make([]string, len(all))
	for i, b := range all {
		texts[i] = b.text
	}
	return strings.Join(texts, "\n\n")
}
