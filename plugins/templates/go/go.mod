module my-policy

go 1.24

require gridbell.sdk v0.0.0

replace gridbell.sdk => ./sdk
