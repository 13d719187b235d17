# Net::HTTP, which reads and writes without blocking.
require 'net/http'
ARGV.each { |url| Net::HTTP.get_response(URI(url)).value }
