package main

import "testing"

func TestGreetsByName(t *testing.T) {
	if got := greeting("shop"); got != "hello shop\n" {
		t.Errorf("got %q", got)
	}
}
