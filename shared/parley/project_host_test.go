package parley_test

import (
	"testing"

	"parley/shared/parley"
)

func TestOwnsHost(t *testing.T) {
	p := parley.Project{Origins: []string{"https://shop.example", "http://Test.Example:8080", "https://*.pages.example", "*.bare.example", "plain.example/x", "*", ":8080", ""}}
	for host, want := range map[string]bool{
		"shop.example": true, "SHOP.example": true, "test.example": true, "a.pages.example": true, "a.b.pages.example": true, "x.bare.example": true,
		"plain.example": true, "pages.example": false, "evilpages.example": false, "shop.example.evil.example": false, "a.shop.example": false, "": false, "*": true,
	} {
		if got := p.OwnsHost(host); got != want {
			t.Errorf("OwnsHost(%q) = %v, want %v", host, got, want)
		}
	}
}
