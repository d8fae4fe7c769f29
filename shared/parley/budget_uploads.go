package parley

import (
	"context"
	"time"
)

// takeUpload counts a file that is about to be uploaded against its uploader's rate,
// and a visitor's against what its address may upload in a day, in files and in
// announced bytes: more than was announced cannot be uploaded. uploads_limit, of kind
// ErrLimit, if that is too much.
func (s *Store) takeUpload(ctx context.Context, p *Project, c Caller, f File) error {
	b := p.Budgets.WithDefaults()
	need := amounts{ofCalls: 1, ofBytes: f.Size}
	var took []counter
	var err error
	if !c.staff() {
		most := amounts{ofCalls: b.AddressUploads, ofBytes: b.AddressUploadBytes}
		if took, err = s.takeOfAddress(ctx, c, "uploads", 24*time.Hour, need, most); err != nil {
			return err
		}
	}
	by := f.uploader()
	if f.Loose { // who holds nothing is whoever comes from there
		by = "address/" + s.AddressHash(c)
	}
	k := s.counters.counter(p.ID, "uploads", by, time.Hour)
	err = s.counters.take(ctx, k, callsOf(1), callsOf(1), callsOf(b.UploadsPerHour))
	if err != nil {
		s.counters.giveEach(took, need)
	}
	return err
}
