package docs

import (
	"strings"
	"unicode/utf8"
)

// block is a piece of Markdown that can stand alone, such as a paragraph.
type block struct {
	text string
	kind blockKind
}

type blockKind int

const (
	paragraph blockKind = iota // cut at the end of a sentence
	rows                       // a list, table or quotation: cut at the end of a line
	code                       // never cut
)

// fence is the line of backticks or tildes that opened the current code block;
// "" outside one.
type fence string

var fenceLine = lazy("^ {0,3}(`{3,}|~{3,})(.*)$")

// after returns the fence that applies after a line, which may open a code block
// or close this one (CommonMark 0.31, section 4.5).
func (f fence) after(line string) fence {
	if !strings.Contains(line, "```") && !strings.Contains(line, "~~~") {
		return f
	}
	found := fenceLine().FindStringSubmatch(line)
	if found == nil {
		return f
	}
	mark, info := fence(found[1]), strings.TrimSpace(found[2])
	switch {
	case f == "" && (mark[0] == '~' || !strings.Contains(info, "`")):
		return mark
	case f != "" && mark[0] == f[0] && len(mark) >= len(f) && info == "":
		return ""
	}
	return f
}

// blocks splits a section's text at blank lines and around code blocks. A code
// block that is never closed ends with the text.
func blocks(text string) []block {
	var all []block
	var lines []string
	var open fence
	flush := func(kind blockKind) {
		if len(lines) > 0 {
			all = append(all, block{strings.TrimRight(strings.Join(lines, "\n"), " \t"), kind})
		}
		lines = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		before := open
		open = open.after(line)
		switch {
		case before == "" && open == "" && strings.TrimSpace(line) == "":
			flush(kindOf(lines))
			continue
		case before == "" && open != "":
			flush(kindOf(lines))
		}
		lines = append(lines, line)
		if before != "" && open == "" {
			flush(code)
		}
	}
	if open != "" {
		lines = append(lines, string(open))
		flush(code)
	}
	flush(kindOf(lines))
	return all
}

func kindOf(lines []string) blockKind {
	if len(lines) == 0 {
		return paragraph
	}
	first := strings.TrimLeft(lines[0], " ")
	digits := strings.TrimLeft(first, "0123456789")
	numbered := digits != first && (strings.HasPrefix(digits, ". ") || strings.HasPrefix(digits, ") "))
	switch {
	case strings.HasPrefix(lines[0], "    "), strings.HasPrefix(lines[0], "\t"):
		return code
	case numbered, strings.HasPrefix(first, "- "), strings.HasPrefix(first, "* "), strings.HasPrefix(first, "+ "),
		strings.HasPrefix(first, "|"), strings.HasPrefix(first, ">"):
		return rows
	}
	return paragraph
}

// unwrap joins the lines of a paragraph or a list item, because chat widgets
// show line breaks that an article's renderer ignores. Line breaks that Markdown
// itself keeps stay.
func (b block) unwrap() string {
	if b.kind == code {
		return b.text
	}
	var out strings.Builder
	previous := ""
	for line := range strings.SplitSeq(b.text, "\n") {
		switch {
		case previous == "":
		case strings.HasSuffix(previous, "  "), strings.HasSuffix(previous, "\\"), kindOf([]string{line}) == rows, startsTag(line):
			out.WriteByte('\n')
		default:
			line = strings.TrimLeft(line, " \t")
			before, _ := utf8.DecodeLastRuneInString(previous)
			if after, _ := utf8.DecodeRuneInString(line); !withoutSpaces(before) || !withoutSpaces(after) {
				out.WriteByte(' ')
			}
		}
		out.WriteString(line)
		previous = line
	}
	return out.String()
}

func startsTag(line string) bool { return strings.HasPrefix(line, "<") }

// shorten cuts a block to at most room bytes. It returns "" if no sensible part
// fits.
func (b block) shorten(room int) string {
	if len(b.text) <= room {
		return b.text
	}
	switch b.kind {
	case paragraph:
		return sentences(b.text, room)
	case rows:
		return firstRows(b.text, room)
	}
	return ""
}

// sentences returns as many whole sentences as fit into room bytes.
func sentences(text string, room int) string {
	end := 0
	for i, r := range text {
		after := i + len(string(r))
		if after > room {
			break
		}
		wide := strings.ContainsRune("。！？", r)
		if wide || strings.ContainsRune(".!?:", r) && after < len(text) && (text[after] == ' ' || text[after] == '\n') && !abbreviated(text[:i]) {
			end = after
		}
	}
	return text[:end]
}

// abbreviated reports whether text ends with an abbreviation, so that a full
// stop after it ends no sentence.
func abbreviated(text string) bool {
	for _, short := range []string{"e.g", "i.e", "etc", "vs", "approx", "No"} {
		if before, ok := strings.CutSuffix(text, short); ok && (before == "" || strings.HasSuffix(before, " ") || strings.HasSuffix(before, "(")) {
			return true
		}
	}
	return false
}

// firstRows returns as many lines as fit. A line that continues the one before
// stays with it, and a table keeps at least one row under its head.
func firstRows(text string, room int) string {
	lines := strings.Split(text, "\n")
	size, end := 0, 0
	for i, line := range lines {
		if size += len(line) + 1; size-1 > room {
			break
		}
		if i+1 == len(lines) || kindOf(lines[i+1:]) == rows {
			end = i + 1
		}
	}
	if strings.HasPrefix(strings.TrimLeft(text, " "), "|") && end < 3 {
		return ""
	}
	return strings.Join(lines[:end], "\n")
}
