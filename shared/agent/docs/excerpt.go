package docs

import "strings"

// Lengths of an answer's quotation, in bytes. Our choice: a chat bubble that
// one reads without scrolling on a phone holds about 1,000 characters.
const (
	maxExcerpt = 1_200
	// maxCode is the longest block of code that is quoted whole even though the
	// quotation then gets longer than maxExcerpt.
	maxCode = 1_200
)

// more stands for text that was left out.
const more = "…"

// excerpt quotes from a section what answers the query best: all of it if it is
// short, and otherwise the blocks from where most of the query's words are.
func (x *index) excerpt(s *section, query string) string {
	all := blocks(s.text)
	start := x.start(all, query)
	var b strings.Builder
	if start > 0 {
		b.WriteString(more + "\n\n")
	}
	quoted := quote(all[start:])
	b.WriteString(quoted)
	if len(quoted) < len(join(all[start:])) {
		b.WriteString("\n\n" + more)
	}
	return b.String()
}

// start is the block at which a quotation begins that has as much as possible of
// what is asked: the section's first, or if others have more, the last of them,
// which has the least before what is asked.
func (x *index) start(all []block, query string) int {
	best, most := 0, 0.0
	asked := x.query(query)
	for i, b := range all {
		if i > 0 && b.kind != paragraph {
			continue // a list or code without what introduces it is hard to read
		}
		covered := coverage(asked, setOf(strings.Join(words(prose(quote(all[i:]))), " ")))
		if covered > most || best > 0 && covered == most {
			best, most = i, covered
		}
	}
	return best
}

// coverage is how much the words found tell of what is asked.
func coverage(query []asked, found map[string]bool) float64 {
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

// quote joins blocks as far as there is room.
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

// clip cuts what has no place where it could be cut better: at a space, or, for
// code and text without any, at a line or a code point.
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
