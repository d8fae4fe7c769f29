package parley_test

import (
	"context"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
)

// TestCompletedTwiceAndAttached: an upload is completed twice at once, as by a page
// that repeats its request, and the file is attached before the slower of the two
// has stored what it found. The attachment stays one: it does not expire after a
// day, and nobody attaches it again.
func TestCompletedTwiceAndAttached(t *testing.T) {
	onBoth(t, func(s scene) {
		g := s.grant("a.txt", "text/plain", len(text))
		s.put(g, text)
		var sent parley.Sent
		s.bucket.BeforeCopy = func() {
			s.bucket.BeforeCopy = nil
			s.want("the faster", s.complete(g.File.ID), "")
			var err error
			sent, err = s.attach("m", s.visitor, g.File.ID)
			s.want("attach", err, "")
		}
		s.want("the slower", s.complete(g.File.ID), "")
		_, err := s.attach("again", s.visitor, g.File.ID)
		s.want("attach again", err, "attachment_unknown")
		s.sweepFiles()
		await(2 * parley.FileLife)
		parleytest.Sweep(s, s.store)
		link, err := s.link(g.File.ID)
		if err != nil {
			s.Fatalf("link to an attachment after days: %v", err)
		}
		if status, _, file := s.bucket.Download(s, link); status != 200 || string(file) != text {
			s.Errorf("download = %d %q", status, file)
		}
		if err := s.store.Erase(context.Background(), s.visitor, sent.Session.ID); err != nil {
			s.Fatal(err)
		}
		await(time.Hour)
		for range 3 {
			parleytest.Sweep(s, s.store)
		}
		if objects := s.bucket.Objects(s); len(objects) > 1 { // the uploaded one is the bucket's to expire
			s.Errorf("after the session was erased, %q are left", objects)
		}
	})
}
