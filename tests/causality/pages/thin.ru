require 'net/http'
back = ENV['BACK']
run lambda { |env|
  _, _, id, calls = env['PATH_INFO'].split('/')
  (1..calls.to_i).each { |i| Net::HTTP.get(URI("http://127.0.0.1:#{back}/d/#{id}/#{i}")) }
  body = "done #{id}\n"
  [200, { 'content-type' => 'text/plain', 'content-length' => body.bytesize.to_s }, [body]]
}
