//go:build !race

package step

const underRace = false
