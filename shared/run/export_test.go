package run

// ImageFilter is an imageFilter, for tests.
type ImageFilter struct{ filter *imageFilter }

// NewImageFilter is newImageFilter, for tests.
func NewImageFilter(owns func(host string) bool, emit func(string) error) ImageFilter {
	return ImageFilter{newImageFilter(owns, emit)}
}

// Write is imageFilter.write.
func (f ImageFilter) Write(delta string) error { return f.filter.write(delta) }

// Close is imageFilter.close.
func (f ImageFilter) Close() error { return f.filter.close() }
