package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func greeting(name string) string {
	return fmt.Sprintf("hello %s\n", name)
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, greeting("world"))
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
